"""The files that an answer consists of, where its prompt has asked for them: found at their marks, and judged by path.

A line `[FILE: relative/path.py]` begins a file. It ends at the next such line, at a line `[END OF FILES]`, or with the
text. Within a code block of a file that closes again such a line is part of it: a README may show the form. What a
model calls a file is never trusted: a path that could leave its folder, or that not every file system takes, is
refused with a reason.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

from batchd.text.markdown import open_fence

MARK: Final = "[FILE: relative/path]"
"""How a file begins."""
MOST_FILES: Final = 1_000
"""Files that are written of one document."""
DEEPEST: Final = 32
"""Components of a path."""
LONGEST_COMPONENT: Final = 249
"""Bytes: file systems allow 255, and six of them are needed while a file is not whole yet."""
LONGEST_PATH: Final = 1_000
"""Bytes."""

_MARK: Final = re.compile(
    r"^ {0,3}(?:#{1,6} )?[*_`]{0,3}\[(?:FILE:(?P<path>[^\n]*)|END OF FILES)\][*_`]{0,3}[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_FENCE: Final = re.compile(r"(?P<mark>`{3,}|~{3,})[^`\n]*\n(?P<inside>.*)", re.DOTALL)
_BLANK_LINES: Final = re.compile(r"(?:[ \t\r]*\n)*")
_BLANKS: Final = " \t\r\n"
_OPENS: Final = re.compile(r"[ \t\r\n]*(?:`{3,}|~{3,})[ \t]*[^`\s]")
"""A code block with its language, right behind a mark."""
_MOST_SHOWN: Final = 12
"""Marks within code blocks of one file; what has more of them is a file whose block was never closed."""
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, with any suffix (Microsoft, “Naming Files, Paths, and Namespaces”)."""
_FORBIDDEN: Final = frozenset('<>:"|?*')
"""Characters that Windows and SMB take in no name (the same page)."""
_DRIVE: Final = re.compile(r"[A-Za-z]:")


class Written(NamedTuple):
    """A file to be written."""

    path: str
    """Relative, of safe components."""
    text: str
    """Ends with one line end, or is empty."""


class Refused(NamedTuple):
    """A file that is not written."""

    path: str
    """As the model wrote it."""
    reason: str


class Found(NamedTuple):
    """What a document has of files."""

    written: tuple[Written, ...] = ()
    """In the order of the document."""
    refused: tuple[Refused, ...] = ()


def find(document: str, *, cut: bool = False) -> Found:
    """Find the files of a document.

    Args:
        document: The text, all rounds joined.
        cut: Whether its model was stopped before the end: then a file that only the end of the text ends is half one.

    Returns:
        At most 1,000 files, and at most as many refusals and the count of the others.
    """
    written: list[Written] = []
    refused: list[Refused] = []
    taken = _Taken()
    for path, text, whole in _pieces(document):
        name = _plain(path)
        reason = "" if whole or not cut else "not whole: the answer was cut short within this file"
        reason = reason or objection(name) or taken.objection(name)
        if not reason and len(written) == MOST_FILES:
            reason = f"more than {MOST_FILES:,} files"
        if reason:
            refused.append(Refused(path, reason))
        else:
            taken.add(name)
            written.append(Written(name, _content(text)))
    if len(refused) > MOST_FILES:
        refused[MOST_FILES:] = [Refused("", f"and {len(refused) - MOST_FILES:,} more")]
    return Found(tuple(written), tuple(refused))


def wanting(document: str) -> str:
    """Say what is missing of a document that should consist of files; empty where it has at least one.

    Args:
        document: The text.
    """
    found = find(document)
    if found.written:
        return ""
    if found.refused:
        return (
            f"no file found that can be written: {len(found.refused):,} refused, the first as {found.refused[0].reason}"
        )
    return f"no file found: each begins with a line {MARK}, and then its whole content follows"


def objection(path: str) -> str:
    """What keeps a path from being written below a folder, whatever lies there; empty if nothing does.

    Args:
        path: Without `.` and empty components.
    """
    parts = path.split("/")
    wrong = {
        "no path": not path,
        "an absolute path": path.startswith("/"),
        "a path with .. in it": ".." in parts,
        "a path with a backslash": "\\" in path,
        "a path with a drive letter": _DRIVE.match(path),
        "a path with a character that cannot be seen": not path.isprintable(),
        "a path with a character that Windows takes in no name": not _FORBIDDEN.isdisjoint(path),
        "a name that Windows reserves": any(map(_RESERVED.fullmatch, parts)),
        "a name that ends in a dot or a blank": any(part.endswith((".", " ")) for part in parts if part != ".."),
        f"a path of more than {DEEPEST} folders": len(parts) > DEEPEST,
        f"a path of more than {LONGEST_PATH:,} bytes": _size(path) > LONGEST_PATH,
        f"a name of more than {LONGEST_COMPONENT} bytes": any(_size(part) > LONGEST_COMPONENT for part in parts),
        "a name that is used while files are written": any(
            part.startswith(".") and part.endswith(".part") for part in parts
        ),
    }
    return next((said for said, so in wrong.items() if so), "")


class _Taken:
    """The paths that are written, and their folders, letter case and ways to write a character being one."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def objection(self, path: str) -> str:
        """What keeps a path from standing beside the others."""
        key = _folded(path)
        if key in self._files:
            return "another file of this document has this path, letter case ignored"
        if key in self._folders:
            return "another file of this document has this path for a folder"
        if any(folder in self._files for folder in _around(key)):
            return "a folder of this path is another file of this document"
        return ""

    def add(self, path: str) -> None:
        """Take a path."""
        key = _folded(path)
        self._files.add(key)
        self._folders.update(_around(key))


def _pieces(document: str) -> Iterator[tuple[str, str, bool]]:
    """The path of each file as it was written, what follows it, and whether another mark does."""
    marks = list(_MARK.finditer(document))
    number = 0
    while number < len(marks):
        mark, following = marks[number], _following(document, marks, number)
        if mark["path"] is not None:
            whole = following < len(marks)
            end = marks[following].start() if whole else len(document)
            yield mark["path"].strip().strip("`\"'").strip(), document[mark.end() : end], whole
        number = following


def _following(document: str, marks: list[re.Match[str]], number: int) -> int:
    """The mark that ends a file: the first outside of its code blocks.

    Where such a block does not close again, its closing line was forgotten, and the next mark ends the file. So it was
    where another file's own block opens right behind a mark.
    """
    begin = marks[number].end()
    for place in range(number + 1, min(number + 1 + _MOST_SHOWN, len(marks)) + 1):
        end = marks[place].start() if place < len(marks) else len(document)
        if open_fence(document[begin:end]) is None:
            return place
        if place < len(marks) and _OPENS.match(document, marks[place].end()):
            break
    return number + 1


def _plain(path: str) -> str:
    """A path without what means nothing in it, such as `./`."""
    root = "/" if path.startswith("/") else ""
    return root + "/".join(part for part in path.split("/") if part not in {"", "."})


def _content(text: str) -> str:
    """What a file holds: without the blank lines around it, and without a fence that wraps it as a whole."""
    bare = _without_blank_lines(text)
    if found := _FENCE.fullmatch(bare.rstrip(_BLANKS)):
        inside = found["inside"]
        closing = re.search(rf"^{found['mark'][0]}{{{len(found['mark'])},}}[ \t\r]*$", inside, re.MULTILINE)
        if closing and closing.end() == len(inside):
            bare = _without_blank_lines(inside[: closing.start()])
    return bare if not bare or bare.endswith("\n") else bare + "\n"


def _without_blank_lines(text: str) -> str:
    """A text from its first line that is not blank to the end of the last one, with the line end that it has."""
    begin = _BLANK_LINES.match(text)
    end = len(text.rstrip(_BLANKS))
    line_end = text.find("\n", end) + 1 or len(text)
    return text[begin.end() if begin else 0 : line_end] if end else ""


def _around(path: str) -> Iterator[str]:
    """Every folder that a path lies in."""
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))

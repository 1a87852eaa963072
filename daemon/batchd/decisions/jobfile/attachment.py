"""Files that go along with a prompt: how a text file asks for them, and the form in which a model reads them.

How they are read is no matter of this room: whoever checks job files brings the reading along, as `Gather`.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from batchd.text.globs import objection
from batchd.text.strictjson import Flaw, Json

ATTACH: Final = "attach"
"""The setting's name."""

_MOST_PATTERNS: Final = 100
_NAMELESS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Characters that would break the line on which a path stands: controls, separators, bytes that were no UTF-8."""
_NO_FOLDERS: Final = (
    'no folder may be read: list those whose files may be sent in the settings, as folders = ["…"] of [attach]'
)


class Attached(NamedTuple):
    """A file that goes along."""

    path: str
    """Relative to the folder that its pattern was relative to."""
    text: str


class Gathered(NamedTuple):
    """What the reading of some patterns came to."""

    files: tuple[Attached, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    """If there is one, the request cannot be sent."""


Gather: TypeAlias = Callable[[Sequence[str], int], Gathered]
"""Reads what sound patterns mean, of no more bytes together than said; flaws are told of `attach[0]` and so on."""

CountPages: TypeAlias = Callable[[bytes, int], int | str]
"""Counts the pages of a PDF up to a number that is too many; or says what is wrong with the file."""


def attach(patterns: Json, gather: Gather | None, most_bytes: int) -> Gathered:
    """Bring the files together that a request asks for.

    Args:
        patterns: What the user said to `attach`.
        gather: Reads them; None where the settings allow no folder.
        most_bytes: Of all files together.

    Returns:
        The files by their paths, or everything that is wrong.
    """
    flaws = tuple(_flaws(patterns))
    if flaws:
        return Gathered(flaws=flaws)
    if gather is None:
        return Gathered(flaws=(Flaw(ATTACH, _NO_FOLDERS),))
    found = gather([str(each) for each in patterns] if isinstance(patterns, list) else [], most_bytes)
    unspeakable = tuple(
        Flaw(ATTACH, f"the name of {file.path!a} has characters that cannot be told; rename it")
        for file in found.files
        if any(unicodedata.category(char) in _NAMELESS for char in file.path)
    )
    files = () if found.flaws or unspeakable else tuple(sorted(found.files, key=lambda file: file.path.split("/")))
    return Gathered(files, found.flaws + unspeakable)


def wrapped(files: Iterable[Attached]) -> str:
    """Write files as one text in which each says its path.

    Contents stay as they are. Where one holds what would end it, its tag gets a number that ends it alone.

    Args:
        files: In their order.

    Returns:
        For each, `<file path="…">`, its lines, and `</file>`, on lines of their own.
    """
    return "\n".join(_wrapped(each) for each in files)


def _wrapped(file: Attached) -> str:
    tag = _tag(file.text)
    path = file.path.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    end = "" if not file.text or file.text.endswith("\n") else "\n"
    return f'<{tag} path="{path}">\n{file.text}{end}</{tag}>\n'


def _tag(text: str) -> str:
    """`file`, or the first of `file_2`, `file_3`, … that the text does not close."""
    tag, number = "file", 1
    lowered = text.lower() if "</" in text else ""
    while f"</{tag}" in lowered:
        number += 1
        tag = f"file_{number}"
    return tag


def _flaws(patterns: Json) -> Iterator[Flaw]:
    if not isinstance(patterns, list) or not patterns:
        yield Flaw(ATTACH, 'must be a list of patterns, such as ["src/**/*.py", "README.md"]')
        return
    if len(patterns) > _MOST_PATTERNS:
        yield Flaw(ATTACH, f"{len(patterns):,} patterns; at most {_MOST_PATTERNS} are taken")
        return
    for index, pattern in enumerate(patterns):
        said = objection(pattern) if isinstance(pattern, str) else "must be a text, such as src/**/*.py"
        if said:
            yield Flaw(f"{ATTACH}[{index}]", said)

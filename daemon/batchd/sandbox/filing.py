"""Answers that consist of files, for prompts that ask for them: what was sent along comes back, the rest is made up.

A prompt asks for files by lines such as `[FILE: src/a.py]`. Those that it names are written. Where it only shows the
form, as in `[FILE: path]`, each file that was sent along is returned under its own path, with a first line that says
who did so.
"""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import NamedTuple

from batchd.sandbox import writer
from batchd.sandbox.outline import Outline

RETURNED = "# The sandbox returns this file as it came: no model has looked at it."
INVENTED = "# The sandbox made this file up: no model wrote it."
END = "[END OF FILES]"

_BEGINS = re.compile(r'^<(file(?:_\d+)?) path="([^"\n]*)">\n', re.MULTILINE)
_ASKED = re.compile(r"\[FILE:[ \t]*([^\]\n]{1,1000})\]")
_PLACEHOLDER = re.compile(r"…|\.\.\.|[<{*]|^(?:relative/)?path\b", re.IGNORECASE)
_WORDS = 60


class File(NamedTuple):
    """A file that was sent along."""

    path: str
    text: str


def take_out(text: str) -> tuple[str, tuple[File, ...]]:
    """Part a turn into what is said and the files in it.

    Args:
        text: Of one turn, with `<file path="…">` and `</file>` on lines of their own around each file.
    """
    files: list[File] = []
    said: list[str] = []
    at = 0
    while begins := _BEGINS.search(text, at):
        ends = f"\n</{begins[1]}>"
        end = text.find(ends, begins.end() - 1)
        if end < 0:
            break
        said.append(text[at : begins.start()])
        files.append(File(unescape(begins[2]), text[begins.end() : end + 1]))
        at = end + len(ends)
    return "".join((*said, text[at:])), tuple(files)


def write(prompt: str, files: Sequence[File]) -> str:
    """The files that a prompt asks for, each under its line.

    Returns:
        Empty where it asks for none.
    """
    parts = [part for path, text in _wanted(prompt, files) for part in (f"[FILE: {path}]", text)]
    return "\n".join((f"{writer.OPENING}\n", *parts, END)) if parts else ""


def _wanted(prompt: str, files: Sequence[File]) -> Iterator[tuple[str, str]]:
    asked = [path.strip() for path in _ASKED.findall(prompt)]
    named = dict.fromkeys(path for path in asked if not _PLACEHOLDER.search(path))
    sent = {file.path: file.text for file in files}
    if len(named) < len(set(asked)):
        named.update(dict.fromkeys(sent))
    for path in named:
        yield path, f"{RETURNED}\n{sent[path]}" if path in sent else _invented(path)


def _invented(path: str) -> str:
    """Some lines of comment, which are no wrong code in most languages."""
    prose = writer.write(Outline(words=_WORDS), len(path), most=2**31)
    return "\n".join((INVENTED, *(f"# {line}".rstrip() for line in prose.split("\n")), ""))

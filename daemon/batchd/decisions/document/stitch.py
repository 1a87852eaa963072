"""The seam between two rounds of one document: what is kept of a text that was cut off, and how the next part joins it.

The rule above all others: what continues exactly where the text stopped is joined byte for byte. So every repair needs
evidence that it is not just a text that repeats itself, as tables, rulers and code do. In doubt nothing is removed: a
line that stands twice is a blemish, a line that is gone is damage.

Evidence is weighed in `repetition`; the best there is is what was dropped when the text was cut back, since an exact
continuation most likely begins with it, and a repetition is most likely followed by it.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from batchd.decisions.document.repetition import CERTAIN, Repeat, repeated
from batchd.text.characters import is_blank
from batchd.text.markdown import open_fence

LONGEST_DROP: Final = 2_000
"""Characters of an unfinished line that are written again rather than continued in their middle: some 500 tokens."""
_LARGEST_SHARE: Final = 4
"""And not more than one in so many of what the round wrote, or rounds of a few words would never get anywhere."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Two parts, made one."""

    text: str
    """The whole document so far."""
    overlap: int = 0
    """Characters at the beginning of the new part that were left out: said before, or no part of the document."""
    restarted: bool = False
    """Whether the new part began the document anew."""
    appended: bool = True
    """Whether it brought anything new."""
    doubtful: bool = False
    """Whether it begins as the document began, but may be more of it: then both stand."""


def kept(text: str, *, since: int = 0) -> str:
    """Cut a text that was cut off back to where it is best continued.

    That is the end of its last whole line, if little is lost; else the end of a sentence, else of a word; else as far
    as its characters are whole.

    Args:
        text: What was written so far, cut off somewhere.
        since: Where in it the last round begins.
    """
    most = min(LONGEST_DROP, (len(text) - since) // _LARGEST_SHARE)
    if text.endswith("\n"):
        return text
    least = max(len(text) - most, 0)
    sentences = (found.end() for found in _SENTENCE_END.finditer(text, least))
    words = (found.end() for found in _BLANKS.finditer(text, least))
    for end in (text.rfind("\n", max(least - 1, 0)) + 1, max(sentences, default=0), max(words, default=0)):
        if end and not is_blank(text[:end]):
            return text[:end]
    return text[: _whole_characters(text, least)]


def join(before: str, after: str, *, dropped: str = "", ended: bool = False) -> Joined:
    """Join the next part to the text so far, without what it repeats.

    Args:
        before: The text so far, as it was sent: cut back by `kept`, unless the model had ended it.
        after: What came back.
        dropped: What `kept` had cut off.
        ended: Whether the model had ended the text before, so that the new part begins a line of its own.

    Returns:
        The document, which with nothing new in `after` is the text before, and what had been dropped of it.
    """
    begin, repeat = _seam(before, after, dropped)
    start = begin + repeat.length
    rest = after[start:]
    if repeat.anew and len(after[begin:].rstrip()) >= len((before + dropped).rstrip()):
        return Joined(after[begin:], begin, restarted=True)
    if is_blank(rest):
        blank = "" if repeat.restarted else rest
        return Joined(before + (dropped or blank), start, repeat.restarted, appended=False)
    if repeat.doubtful and not after.startswith(dropped):
        return Joined(f"{before}{dropped}\n\n{after}", doubtful=True)
    if not repeat.length:
        rest = _fitted(before, rest, dropped)
    between = _line_between(before, rest) if ended else ""
    return Joined(before + between + rest, start, repeat.restarted, doubtful=repeat.doubtful)


class _Beginning(NamedTuple):
    """A place at which the new part may begin in earnest."""

    place: int
    surely: bool
    """Whether what precedes it needs no other evidence to be left out."""
    exact: bool
    """Whether what follows may be the exact continuation."""


def _seam(before: str, after: str, dropped: str) -> tuple[int, Repeat]:
    """Where the new part begins in earnest, and how much it repeats from there."""
    if dropped and after.startswith(dropped) and len(dropped) >= CERTAIN:
        return 0, Repeat(0)
    begins = list(dict.fromkeys(_beginnings(before, after, dropped)))
    doubtful = False
    for begin in begins:
        rest = after[begin.place :] if begin.place else after
        repeat = repeated(before, rest, dropped, exact=begin.exact)
        if repeat.length:
            return begin.place, repeat
        doubtful = doubtful or repeat.doubtful
        if begin.place and len(dropped) >= CERTAIN and rest.startswith(dropped):
            return begin.place, repeat
    if doubtful:
        return 0, Repeat(0, doubtful=True)
    return max(begin.place for begin in begins if begin.surely), Repeat(0)


_REMARK: Final = re.compile(
    r"[^\n]{0,120}?\b(?:continu|resum|left off|pick|rest of|complete|full|entire|whole|here(?: is|['’]s))"  # noqa: RUF001
    r"[^\n]{0,120}\n(?:[ \t]*\n)?(?:(?:-{3,}|\*{3,})[ \t]*\n(?:[ \t]*\n)?)?",
    re.IGNORECASE,
)
"""A line that could be a remark on the continuation, with the blank line or the rule behind it."""
_SURELY_A_REMARK: Final = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok|understood|absolutely)\b[,.!: —-]*)?"
    r"(?:here(?: is|['’]s) the (?:continuation\b|rest of (?:the|your|my)\b)"  # noqa: RUF001
    r"|(?:(?:i(?:['’]ll| will)|let me)(?: now)? (?:continue|resume|pick up|go on)|continuing|resuming|picking up)"  # noqa: RUF001
    r" (?:exactly |directly |right )?(?:from |with )?(?:where|(?:the|my) (?:previous|last|document|text|answer))\b)"
    r"[^\n]{0,120}(?:[:…—-]|\.{1,3})[ \t]*\n",
    re.IGNORECASE,
)
"""One in which the model speaks of its writing; an imperative, such as “Resume the last session.”, is none."""
_APART: Final = re.compile(r"(?:(?:-{3,}|\*{3,})[ \t]*\n)?[ \t]*\n")
"""What sets a remark apart from the text: a blank line, or a rule and a blank line."""


def _beginnings(before: str, after: str, dropped: str) -> Iterator[_Beginning]:
    """The places at which the new part may begin in earnest."""
    exact = after.startswith(dropped)
    yield _Beginning(0, surely=True, exact=exact)
    if dropped and exact:
        return
    blank = len(after) - len(after.lstrip("\r\n"))
    yield _Beginning(blank, surely=False, exact=not dropped)
    for begin in sorted({0, blank}):
        yield from (_Beginning(place, surely=True, exact=False) for place in _behind_fence(before, after, begin))
        remark = _REMARK.match(after, begin)
        if remark:
            told = _SURELY_A_REMARK.match(after, begin)
            surely = told is not None and _APART.match(after, told.end()) is not None
            yield _Beginning(remark.end(), surely, exact=not dropped and told is None)
            fences = _behind_fence(before, after, remark.end())
            yield from (_Beginning(place, surely, exact=False) for place in fences)


def _behind_fence(before: str, after: str, begin: int) -> Iterator[int]:
    """Behind the line that opens a code block of the same language again, inside of which the text stopped.

    One without a language is left alone: it is what closes the block.
    """
    if after[begin : begin + 200].lstrip()[:3] not in {"```", "~~~"}:
        return
    end = after.find("\n", begin) + 1
    again = open_fence(after[begin:end])
    if again is None or not again.info:
        return
    inside = open_fence(before)
    if inside is not None and inside.info == again.info and again.mark.startswith(inside.mark):
        yield end


def _fitted(before: str, after: str, dropped: str) -> str:
    """The new part with the blanks at its beginning as the dropped words had them, if it begins as they did.

    Models begin with a new line where none belongs, and without the indentation that does.
    """
    if not dropped or after.startswith(dropped[0]):
        return after
    bare = after.lstrip("\r\n")
    if bare != after and bare.startswith(dropped[0]):
        return bare
    words = dropped.lstrip(" \t")
    indentation = dropped[: len(dropped) - len(words)]
    if indentation and words and after.startswith(words[: CERTAIN // 3]):
        return indentation + after
    return after.lstrip(" \t") if before.endswith((" ", "\t")) else after


def _line_between(before: str, after: str) -> str:
    """What must stand between a text that was ended and one that is added to it."""
    if not before or after.startswith(("\n", "\r\n")) or before.endswith(("\n\n", "\r\n\r\n")):
        return ""
    if open_fence(before):
        return "" if before.endswith("\n") else "\n"
    if before.endswith("\n"):
        return "\n" if after.startswith(("#", "[")) else ""
    mark = before[before.rfind("\n") + 1 :].lstrip()[:1]
    return "\n" if mark in {"|", "-", "*", "+", ">"} and after.startswith(mark) else "\n\n"


_SENTENCE_END: Final = re.compile(r"[.!?…][\"'”’)\]*_]*[ \t]+|[。！？][”’」』]*")  # noqa: RUF001  as they are written
_BLANKS: Final = re.compile(r"[ \t]+")
_BROKEN: Final = "\ufffd"
"""What stands for a character of which only some bytes were written."""
_JOINER: Final = "\u200d"
_ADDED: Final = frozenset({"Mn", "Me", "Sk", "Cf"})
"""Categories of what changes the character before it: accents, colours and kinds of emoji."""
_GROWING: Final = _ADDED | {"So", "Cs"}
"""And of what may still be changed or completed: emoji, halves of flags and of surrogate pairs."""


def _whole_characters(text: str, least: int) -> int:
    """Where a text without a blank near its end may be cut: not within what a reader sees as one character."""
    end = len(text)
    while end > least and text[end - 1] == _BROKEN:
        end -= 1
    if end <= least or unicodedata.category(text[end - 1]) not in _GROWING:
        return end if end > least else len(text)
    begin = end - 1
    while begin > least and _belong_together(text[begin - 1], text[begin]):
        begin -= 1
    return begin if begin > least else len(text)


def _belong_together(left: str, right: str) -> bool:
    category = unicodedata.category(right)
    flags = "\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff"
    return left == _JOINER or category in _ADDED or (category == "Cs" == unicodedata.category(left)) or flags

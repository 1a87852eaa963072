"""Whether a document is what was expected of it, and what is wanting, in one sentence.

Why the model stopped is not asked here: `stop_reason` decides first, in `verdict`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from batchd.claude.verdict import ToolCall
from batchd.decisions.document import json_form
from batchd.decisions.document.answer_files import wanting
from batchd.decisions.document.expectation import Expectation
from batchd.text import titles
from batchd.text.characters import is_blank
from batchd.text.length import characters, words
from batchd.text.markdown import open_fence, without_code
from batchd.text.sections import heads, marks
from batchd.text.strictjson import Flaw, Flawed, Malformed, decode, shown

_SHOWN_TITLE: Final = 60
_SHOWN_FLAWS: Final = 3
_MOST_OPEN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Findings:
    """Whether an expectation is met, and what is wanting."""

    unmet: tuple[str, ...] = ()
    """The names of the expectations that are not met: `words`, `sections`, …"""
    missing: tuple[str, ...] = ()
    """The titles of the sections that are not there, in order, as the user wrote them."""
    sentence: str = ""
    """All of it for a reader, titles and keys of the user's included; empty when nothing is wanting."""

    @property
    def met(self) -> bool:
        """Whether everything is there."""
        return not self.unmet


def examine(
    document: str,
    expected: Expectation,
    output_tokens: int | None = None,
    *,
    files: bool = False,
    calls: Sequence[ToolCall] = (),
) -> Findings:
    """Hold a document against what was expected of it.

    Args:
        document: The text, all rounds stitched together.
        expected: What the user asked for.
        output_tokens: That were written, thinking left out where that is known; None if they are not to be judged by.
        files: Whether it should consist of files.
        calls: Of tools, beside the text: what is expected to be JSON may as well be the input of each of them.
    """
    missing, sections = _sections(document, expected)
    said = {
        "expect": expected.unreadable,
        "words": _fewer(expected.words, words(document) if expected.words else 0, "words"),
        "characters": _fewer(expected.characters, characters(document) if expected.characters else 0, "characters"),
        "tokens": "" if output_tokens is None else _fewer(expected.tokens, output_tokens, "tokens"),
        "sections": sections,
        "ends_with": _ending(document, expected.ends_with),
        "json": _data(document, calls, expected.form) if expected.json else "",
        "closed": _left_open(document) if expected.closed else "",
        "files": wanting(document) if files else "",
    }
    unmet = tuple(name for name, sentence in said.items() if sentence)
    return Findings(unmet, missing, "; ".join(said[name] for name in unmet))


def thinking_ate_it(
    text: str, *, stop_reason: str | None, output_tokens: int, max_tokens: int, thinking_tokens: int | None = None
) -> str:
    """Tell whether an answer was cut because thinking had used up its room.

    Where the API does not say how much was thought, the text tells: even dense text has two bytes a token, so text
    with fewer bytes than there were tokens makes up less than half of them.

    Args:
        text: What was written.
        stop_reason: Why it stops.
        output_tokens: That were paid for, thinking included.
        max_tokens: That were allowed.
        thinking_tokens: Among them; None where the API does not say.

    Returns:
        It in one sentence; empty if it was not so.
    """
    if stop_reason != "max_tokens" or output_tokens <= 0:
        return ""
    size = len(text.encode("utf-8", "replace"))
    thought = max(output_tokens - size // 2, 0) if thinking_tokens is None else thinking_tokens
    if 2 * thought <= output_tokens:
        return ""
    about = "about " if thinking_tokens is None else ""
    left = f"the text was cut after {len(text):,} characters" if not is_blank(text) else "no text was written"
    return f"thinking took {about}{thought:,} of the {max_tokens:,} tokens that max_tokens allowed, and {left}"


def _fewer(wanted: int | None, found: int, what: str) -> str:
    return f"expected at least {wanted:,} {what}, found {found:,}" if wanted and found < wanted else ""


def _ending(document: str, wanted: str | None) -> str:
    if wanted is None or document.rstrip().endswith(wanted.rstrip()):
        return ""
    return f"expected to end with {shown(wanted)}, which it does not"


def _sections(document: str, expected: Expectation) -> tuple[tuple[str, ...], str]:
    if expected.titles:
        missing = titles.missing(document, expected.titles, expected.marker)
        found = len(expected.titles) - len(missing)
        return missing, f"{_expected(len(expected.titles), found)}; missing: {_listed(missing)}" if missing else ""
    if expected.count is not None:
        found = max(len(marks(document, expected.marker)), len(heads(document)))
        return (), _expected(expected.count, found) if found < expected.count else ""
    return (), ""


def _expected(count: int, found: int) -> str:
    return f"expected {count:,} section{'s' if count != 1 else ''}, found {found:,}"


def _listed(titles: tuple[str, ...]) -> str:
    first = titles[0] if len(titles[0]) <= _SHOWN_TITLE else titles[0][: _SHOWN_TITLE - 1] + "…"
    return first if len(titles) == 1 else f"{first}, and {len(titles) - 1:,} more"


_IN_A_FENCE: Final = re.compile(r"(?:```|~~~)[^\n`]*\n(.*)\n[ \t]*(?:```|~~~)", re.DOTALL)


def _data(document: str, calls: Sequence[ToolCall], form: json_form.Form | None) -> str:
    said = _json(document, form)
    if not said or not calls:
        return said
    of_calls = ((call.name, _json(call.input, form)) for call in calls)
    return next((f"in the call of {shown(name)}: {each}" for name, each in of_calls if each), "")


def _json(document: str, form: json_form.Form | None) -> str:
    bare = document.strip()
    if fenced := _IN_A_FENCE.fullmatch(bare):
        bare = fenced[1].strip()
    try:
        value, end = decode(bare)
    except Malformed as malformed:
        line = bare.count("\n", 0, malformed.position) + 1
        return f"expected JSON, which it is not from line {line:,} on ({malformed.message})"
    except Flawed as flawed:
        return f"expected JSON, which it is not quite: {_told(iter(flawed.flaws), ': ')}"
    if end < len(bare):
        return f"expected JSON alone, found {len(bare) - end:,} characters behind it"
    told = _told(json_form.unmet(value, form)) if form else ""
    return f"expected JSON of the form asked for, but {told}" if told else ""


def _told(flaws: Iterator[Flaw], between: str = " ") -> str:
    first = [f"{flaw.field or 'the whole'}{between}{flaw.message}" for flaw in islice(flaws, _SHOWN_FLAWS)]
    return ", ".join(first) + (", and more" if next(flaws, None) else "")


_CODE_IN_A_LINE: Final = re.compile(r"`[^`\n]+`")
_BRACKET: Final = re.compile(r"[()\[\]{}]|\n[ \t]*\n")
_PARTNER: Final = {")": "(", "]": "[", "}": "{"}


def _left_open(document: str) -> str:
    """What is open at the end.

    Brackets in code are not looked at, since they may stand in strings. A closing one without an opening one, as in
    `a)`, means nothing; nor does a round or square one that its paragraph left open, as in `:(`, before the last.
    """
    if fence := open_fence(document):
        line = document.count("\n", 0, fence.start) + 1
        return f"expected all code fences to be closed; the one opened in line {line:,} is not"
    opened: list[str] = []
    for found in _BRACKET.finditer(_CODE_IN_A_LINE.sub("", without_code(document.rstrip()))):
        bracket = found[0]
        if bracket in "([{" and len(opened) < _MOST_OPEN:
            opened.append(bracket)
        elif bracket in _PARTNER and _PARTNER[bracket] in opened:
            while opened.pop() != _PARTNER[bracket]:
                pass
        elif bracket[0] == "\n":
            opened = [each for each in opened if each == "{"]
    return f"expected all brackets to be closed; {len(opened):,} left open, the last one {opened[-1]}" if opened else ""

"""Writes plausible long text: the same for the same seed, a megabyte in a few milliseconds.

The prose is drawn from a pool of paragraphs made once. Every paragraph is numbered, so no two stretches of a text are
alike, and a cut or a lost piece can be told to the character.
"""

import random
from collections.abc import Callable, Iterator
from functools import cache

from batchd.sandbox.outline import Outline

OPENING = "This is sandbox text: no model wrote it, nobody paid for it, and it means nothing."
"""How every text begins."""
UNICODE = 'Separators: \u2028|\u2029|\u0085|\u000b|\u000c; an emoji \U0001f4e6, a quote " and a backslash \\.'
"""Characters that are raw in valid JSON lines (or must not be), and at which naive readers split."""

CHARACTERS_PER_TOKEN = 4
"""The sandbox's whole tokenizer; the real one cannot be had offline."""

LONGEST = 2_000_000
"""Characters of one text within an answer, which no model would write."""

_POOL = 256
_SENTENCES = 5

_SUBJECTS = "The first draft|A careful reader|The committee|This arrangement|Every later version|The older design|"
_SUBJECTS += "A simple rule|The second party|The whole process|Each of these parts|The usual practice|A longer view"
_VERBS = "keeps|explains|replaces|depends on|leads back to|makes room for|is measured against|follows from|"
_VERBS += "stands beside|answers to|is held together by|takes its name from"
_OBJECTS = "the terms agreed before|a plain list of duties|the evidence at hand|the shape of the data|"
_OBJECTS += "what was known at the time|a record that can be checked|the limits set out above|an open question|"
_OBJECTS += "the order in which things happen|one well kept ledger|the cost of doing nothing|a shared vocabulary"
_ENDS = "and nothing more|as the next part shows|without any exception|in most of the cases seen so far|"
_ENDS += "which is why it comes first|until it is replaced|for as long as it holds|whatever its age|"
_ENDS += "though few would notice|and that is by intent"

_SHORT_SENTENCES = 12
_SHORT_STARTS = "So it is|As we go|It is so|If it is on|We do it|As it was"
_SHORT_MIDDLES = "to be as it is|at one of us|in it as on it|by it or of it|on to it all"
_SHORT_ENDS = "as of now|if we go|or so it is|to a man|and on it is|as we do"


Pool = tuple[tuple[str, int], ...]
"""Paragraphs, each with the number of its words."""


def tokens(characters: int) -> int:
    """Return the tokens that the sandbox bills for a number of characters."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def write(  # noqa: PLR0913  what a text is made from
    outline: Outline,
    seed: int,
    *,
    most: int,
    omit: frozenset[str] = frozenset(),
    unicode: bool = False,
    terse: bool = False,
) -> str:
    """The text that an outline asks for.

    Args:
        outline: Sections and length.
        seed: Same seed, same text.
        most: Characters after which nobody will look; the text may be longer by a paragraph, or ends by itself.
        omit: Titles of sections to leave out.
        unicode: Whether to add characters that trip naive readers.
        terse: Whether to write it in short words, of which a token is one and no more.
    """
    parts: list[str] = []
    length = 0
    chance = random.Random(seed)  # noqa: S311  nothing here is secret
    for part in _parts(outline, chance, omit, _terse_pool() if terse else _pool(), unicode=unicode):
        parts.append(part)
        length += len(part)
        if length > most:
            break
    return "".join(parts)


def phrase(chance: random.Random, words: int) -> str:
    """Some words of prose, without an end."""
    taken: list[str] = []
    while len(taken) < min(words, LONGEST):
        taken += chance.choice(_pool())[0].split()
    return " ".join(taken[:words]).rstrip(",.")


def _parts(
    outline: Outline, chance: random.Random, omit: frozenset[str], pool: Pool, *, unicode: bool
) -> Iterator[str]:
    yield OPENING
    if unicode:
        yield "\n\n" + UNICODE
    titles = outline.titles or ("",)
    left = outline.words - len(OPENING.split())
    for number, title in enumerate(titles, 1):
        if title in omit:
            continue
        if title:
            yield "\n\n" + outline.marker.replace("{title}", title)
        yield from _paragraphs(number, chance, -(-left // len(titles)), pool)
    if outline.ending:
        yield f"\n\n{outline.ending}"


def _paragraphs(section: int, chance: random.Random, words: int, pool: Pool) -> Iterator[str]:
    number = 0
    while words > 0 or number == 0:
        number += 1
        text, size = chance.choice(pool)
        if words < size:
            text = _shortened(text, words)
        words -= size
        yield f"\n\n{section}.{number} {text}"


def _shortened(text: str, words: int) -> str:
    """Return the first sentences that have at least this many words."""
    taken: list[str] = []
    for sentence in text.split(". "):
        taken.append(sentence)
        words -= sentence.count(" ") + 1
        if words <= 0:
            break
    return ". ".join(taken).removesuffix(".") + "."


@cache
def _pool() -> Pool:
    kinds = [words.split("|") for words in (_SUBJECTS, _VERBS, _OBJECTS, _ENDS)]
    return _drawn(lambda chance: "{} {} {}, {}.".format(*(chance.choice(kind) for kind in kinds)), _SENTENCES)


@cache
def _terse_pool() -> Pool:
    starts, middles, ends = (words.split("|") for words in (_SHORT_STARTS, _SHORT_MIDDLES, _SHORT_ENDS))
    return _drawn(
        lambda chance: f"{chance.choice(starts)} {chance.choice(middles)} {chance.choice(ends)}.", _SHORT_SENTENCES
    )


def _drawn(sentence: Callable[[random.Random], str], sentences: int) -> Pool:
    chance = random.Random(300)  # noqa: S311  the same pool for everybody, always
    paragraphs = (" ".join(sentence(chance) for _ in range(sentences)) for _ in range(_POOL))
    return tuple((paragraph, paragraph.count(" ") + 1) for paragraph in paragraphs)

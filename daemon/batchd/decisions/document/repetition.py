"""Whether a new part of a document repeats what was there, and how much of it; no text's own habits are taken for that.

Tables, rulers, code and verse repeat themselves without anybody having begun again, so length alone proves nothing. A
new part that may be the exact continuation repeats nothing, unless that is the whole document or thousands of
characters. Two texts that no rule can tell apart remain: one that consists of the same long stretch exactly twice, cut
between the two, and one that was cut there and told again.
"""

import re
from collections import Counter
from typing import Final, NamedTuple

from batchd.text.length import different_words

CERTAIN: Final = 12
"""Characters that two places share by no accident, when it is known that one of them must begin with these."""
_NEAR: Final = 4_096
"""Characters on both sides of the seam in which every overlap is found; of longer ones, those that begin uniquely."""
_ANCHOR: Final = 200
_TAILS: Final = (200, 60)
"""Characters by which the seam is found in a document told anew, the surer ones first."""
_HEAD: Final = 120
"""Characters with which a document begins that no part of it begins with again: its title and half a sentence."""
_SHORTEST: Final = 40
"""Below that, running text repeats itself (a name, a refrain), and so does code."""
_LONG_LINE: Final = 160
"""Characters of a line that are a paragraph; shorter ones can stand twice in a row, in logs, lists and verse."""
_FEWEST_WORDS: Final = 5
_FEWEST_LINES: Final = 2
_PIECE: Final = re.compile(r"[^\n.!?。！？]+")  # noqa: RUF001  as sentences end
_TOLD: Final = 3
"""One in so many characters of a document stands again, word for word, in one that tells it anew."""
_MOST_WEIGHED: Final = 8
"""Overlaps that are looked at closely, the longest first; a text with more is one that repeats itself."""


class Repeat(NamedTuple):
    """How much of a new part repeats the text so far."""

    length: int
    """In characters."""
    restarted: bool = False
    """Whether the new part is the whole document, begun anew."""
    anew: bool = False
    """Whether it tells that in other words, so that no seam is in it."""
    doubtful: bool = False
    """Whether it begins as the document began, and nothing else shows that it is the document begun anew."""


def repeated(before: str, after: str, dropped: str, *, exact: bool) -> Repeat:
    """Tell how much a new part repeats, from its first character on.

    Args:
        before: The text so far, as it was sent.
        after: The new part.
        dropped: What had been cut off the text so far.
        exact: Whether the new part may be the exact continuation. Then a few equal lines prove nothing: the text may
            have them twice.
    """
    if dropped and after.startswith(dropped) and len(dropped) >= CERTAIN:
        return Repeat(0)
    if _restarts(before, after):
        return _restart(before, after)
    if _same_title(before, after):
        common = _common(before, after)
        return _restart(before, after) if _told_again(before[common:], after[common:]) else Repeat(0, doubtful=True)
    if far := _far_overlap(before, after):
        return Repeat(far)
    return Repeat(0) if exact else _near_overlap(before, after, dropped)


def _near_overlap(before: str, after: str, dropped: str) -> Repeat:
    near = _Overlaps(before[-_NEAR:], after[:_NEAR])
    if dropped:
        for length in near.lengths:
            if after.startswith(dropped, length) and (len(dropped) >= CERTAIN or length >= CERTAIN):
                return Repeat(length)
    for length in near.lengths[:_MOST_WEIGHED]:
        if not near.periodic(length) and _surely_repeated(before, after, length):
            return Repeat(length)
    return Repeat(0)


def _restarts(before: str, after: str) -> bool:
    """Whether the new part begins as the document began, and as nothing else in either does."""
    head = before[:_HEAD]
    return (
        len(head) == _HEAD
        and after.startswith(head)
        and before.find(head, 1) < 0
        and after.find(head, 1) < 0
        and different_words(head) >= _FEWEST_WORDS
        and (_different_lines(head) >= _FEWEST_LINES or "\n" not in head.strip())
        and not head.lstrip().startswith("|")
    )


def _same_title(before: str, after: str) -> bool:
    """Whether the new part begins with the document's own title, which neither has a second time."""
    title = before[: before.find("\n") + 1]
    return title.startswith("# ") and after.startswith(title) and before.count(title) == after.count(title) == 1


def _restart(before: str, after: str) -> Repeat:
    """Tell where a part that begins as the document began runs past the place where that had stopped.

    A model that begins anew may choose other words on its way, but it tells the same again, and where it comes by the
    last words of the text before, it is at the seam. A part that only begins alike may be a refrain.
    """
    common = _common(before, after)
    if common == len(before):
        return Repeat(common, restarted=True)
    if common >= len(after.rstrip()):
        return Repeat(len(after), restarted=True)
    if not _told_again(before[common:], after[common:]):
        return Repeat(0, doubtful=True)
    for size in _TAILS:
        tail = before[-size:]
        place = after.find(tail)
        if place >= 0 and after.find(tail, place + 1) < 0 and before.find(tail) == len(before) - len(tail):
            return Repeat(place + len(tail), restarted=True)
    return Repeat(len(after), restarted=True, anew=True)


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike; found by halving, since comparing slices is fast."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _told_again(before: str, after: str) -> bool:
    """Whether a third of one of two texts, counted in sentences that the first has only once, stands in both."""
    pieces, there = _pieces(before), _pieces(after)
    told = sum(len(piece) for piece in there if pieces[piece] == 1)
    return told > 0 and _TOLD * told >= min(_size(pieces), _size(there))


def _pieces(text: str) -> Counter[str]:
    """Sentences that are long enough to be told from others, and how often they stand there."""
    return Counter(piece for piece in map(str.strip, _PIECE.findall(text)) if len(piece) >= CERTAIN)


def _size(pieces: Counter[str]) -> int:
    return sum(len(piece) * times for piece, times in pieces.items())


def _far_overlap(before: str, after: str) -> int:
    """An overlap that is longer than what lies near the seam: found by its first characters, if they are unique."""
    anchor = after[:_ANCHOR]
    if len(anchor) < _ANCHOR:
        return 0
    place = before.find(anchor)
    if place < 0 or len(before) - place <= _NEAR or before.find(anchor, place + 1) >= 0:
        return 0
    return len(before) - place if after.find(anchor, 1) < 0 and after.startswith(before[place:]) else 0


class _Overlaps:
    """The stretches that both end one text and begin another, all found in one linear pass (Knuth, Morris, Pratt)."""

    def __init__(self, tail: str, head: str) -> None:
        """Look at two texts.

        Args:
            tail: The end of the one.
            head: The beginning of the other.
        """
        self._borders = [0] * len(head)
        length = 0
        for index in range(1, len(head)):
            length = self._longer(head, length, head[index])
            self._borders[index] = length
        length = 0
        for character in tail:
            length = self._longer(head, length, character)
        self.lengths: list[int] = []
        """Of each of them, the longest first."""
        while length:
            self.lengths.append(length)
            length = self._borders[length - 1]

    def periodic(self, length: int) -> bool:
        """Whether an overlap is itself the repetition of a shorter stretch, as rulers and equal lines are.

        Args:
            length: Its length.
        """
        return 2 * self._borders[length - 1] >= length

    def _longer(self, head: str, length: int, character: str) -> int:
        """How much of the head is matched with one more character."""
        while length and (length == len(head) or head[length] != character):
            length = self._borders[length - 1]
        return length + 1 if head[length : length + 1] == character else length


def _surely_repeated(before: str, after: str, length: int) -> bool:
    """Whether an overlap is one, and not just a text that says the same twice.

    It must be long, and occur nowhere else on either side of the seam: what occurs a third time is the text's own
    habit. Where it spans lines, or is one, two of them must differ, or one be as long as a paragraph outside of a
    table, since equal lines stand one below the other by right.
    """
    stretch = after[:length]
    place = len(before) - length
    if length < _SHORTEST or different_words(stretch) < _FEWEST_WORDS:
        return False
    if before.find(stretch) != place or after.find(stretch, 1) >= 0:
        return False
    begin = before.rfind("\n", 0, place) + 1
    if begin < place and "\n" not in before[begin:].rstrip("\n"):
        return True
    long = length >= _LONG_LINE and not stretch.lstrip().startswith("|")
    return long or _different_lines(before[begin:]) >= _FEWEST_LINES


def _different_lines(text: str) -> int:
    """How many lines differ; the last does not, if it may be the unfinished copy of another."""
    *whole, last = text.split("\n")
    different = set(filter(str.strip, whole))
    return len(different) + bool(last.strip() and not any(line.startswith(last) for line in different))

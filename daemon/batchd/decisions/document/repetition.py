"""Whether a new part of a document repeats what was there, and how much of it; no text's own habits are taken for that.

Tables, rulers, code and verse repeat themselves without anybody having begun again, so length alone proves nothing.
Two texts that no rule can tell apart remain: one that consists of the same long stretch exactly twice, cut between the
two, and one that was cut there and told again.
"""

from typing import Final, NamedTuple

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
_MOST_WEIGHED: Final = 8
"""Overlaps that are looked at closely, the longest first; a text with more is one that repeats itself."""


class Repeat(NamedTuple):
    """How much of a new part repeats the text so far."""

    length: int
    """In characters."""
    restarted: bool = False
    """Whether that is the whole document, begun anew."""


def repeated(before: str, after: str, dropped: str) -> Repeat:
    """Tell how much a new part repeats, from its first character on.

    Args:
        before: The text so far, as it was sent.
        after: The new part.
        dropped: What had been cut off the text so far.
    """
    exact = bool(dropped) and after.startswith(dropped)
    if exact and len(dropped) >= CERTAIN:
        return Repeat(0)
    if _restarts(before, after):
        return Repeat(_behind_retold(before, after), restarted=True)
    if far := _far_overlap(before, after):
        return Repeat(far)
    near = _Overlaps(before[-_NEAR:], after[:_NEAR])
    if dropped and not exact:
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
        and len(set(head.split())) >= _FEWEST_WORDS
        and (_different_lines(head) >= _FEWEST_LINES or "\n" not in head.strip())
        and not head.lstrip().startswith("|")
    )


def _behind_retold(before: str, after: str) -> int:
    """Where a document told anew runs past the place where it had stopped; its end if it does not, or cannot be told.

    A model that begins anew may choose other words on its way, but where it comes by the last words of the text
    before, it is at the seam.
    """
    if after.startswith(before):
        return len(before)
    for size in _TAILS:
        tail = before[-size:]
        place = after.find(tail)
        if place >= 0 and after.find(tail, place + 1) < 0 and before.find(tail) == len(before) - len(tail):
            return place + len(tail)
    return len(after)


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
    if length < _SHORTEST or len(set(stretch.split())) < _FEWEST_WORDS:
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

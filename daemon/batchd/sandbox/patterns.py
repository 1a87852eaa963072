"""Makes a text that a regular expression matches, as JSON Schema's `pattern` has them (ECMA-262, the usual part of it).

Anchors and assertions are passed over: what is made is the match itself and nothing around it.
"""

import random
from collections.abc import Callable
from typing import Final

Piece = Callable[[random.Random], str]
"""Makes a text that a part of an expression matches."""

_DIGITS: Final = "0123456789"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_WORD: Final = _LETTERS + _LETTERS.upper() + _DIGITS + "_"
_PRINTABLE: Final = "".join(map(chr, range(32, 127)))
_SETS: Final = {
    "d": _DIGITS,
    "w": _WORD,
    "s": " ",
    "D": _LETTERS,
    "W": "-",
    "S": _LETTERS,
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_HEX: Final = {"x": 2, "u": 4}
_WITHOUT_WIDTH: Final = frozenset("bBAZ")
_MORE: Final = 2
"""How often more than it must what may be repeated without end is."""
_MOST: Final = 10_000
"""Repetitions; of expressions that want more, nothing can be made here."""


def sample(pattern: str, chance: random.Random) -> str:
    """Make a text that a pattern matches.

    Raises:
        ValueError: It is no pattern that is known here.
    """
    try:
        piece = _Reading(pattern).whole()
    except (IndexError, RecursionError, ValueError) as wrong:
        raise ValueError(f"not a pattern that can be read: {pattern[:60]!r}") from wrong
    return piece(chance)


class _Reading:
    """A descent through an expression."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0

    def _next(self) -> str:
        self.at += 1
        return self._pattern[self.at - 1]

    def _ahead(self, text: str) -> bool:
        if not self._pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def whole(self) -> Piece:
        """Read the whole expression."""
        piece = self.alternatives()
        if self.at < len(self._pattern):
            raise ValueError("a group without its begin")
        return piece

    def alternatives(self) -> Piece:
        """Read `a|b|c`."""
        each = [self._sequence()]
        while self._ahead("|"):
            each.append(self._sequence())
        return lambda chance: chance.choice(each)(chance)

    def _sequence(self) -> Piece:
        pieces: list[Piece] = []
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            pieces.append(self._repeated(self._atom()))
        return lambda chance: "".join([piece(chance) for piece in pieces])

    def _repeated(self, piece: Piece) -> Piece:
        if self._ahead("*"):
            least, most = 0, _MORE
        elif self._ahead("+"):
            least, most = 1, 1 + _MORE
        elif self._ahead("?"):
            least, most = 0, 1
        elif self._pattern.startswith("{", self.at) and self._pattern[self.at + 1].isdigit():
            end = self._pattern.index("}", self.at)
            few, comma, many = self._pattern[self.at + 1 : end].partition(",")
            least = int(few)
            most = int(many) if many else least + _MORE if comma else least
            self.at = end + 1
        else:
            return piece
        self._ahead("?") or self._ahead("+")  # lazy or possessive: the same texts
        if max(least, most) > _MOST:
            raise ValueError(f"more than {_MOST:,} repetitions")
        return lambda chance: "".join([piece(chance) for _ in range(chance.randint(least, max(least, most)))])

    def _atom(self) -> Piece:
        match sign := self._next():
            case "(":
                return self._group()
            case "[":
                return _any_of(self._set())
            case "\\":
                return _any_of(self._escaped())
            case ".":
                return _any_of(_LETTERS)
            case "^" | "$":
                return _nothing
            case _:
                return _any_of(sign)

    def _group(self) -> Piece:
        passed_over = any(self._ahead(sign) for sign in ("?=", "?!", "?<=", "?<!"))
        if not passed_over and self._ahead("?") and not self._ahead(":"):
            self.at = self._pattern.index(">", self.at) + 1  # (?<name>…) and (?P<name>…)
        inside = self.alternatives()
        if self._next() != ")":
            raise ValueError("a group without its end")
        return _nothing if passed_over else inside

    def _escaped(self) -> str:
        sign = self._next()
        if sign in _HEX and self._pattern[self.at : self.at + 1] != "{":
            self.at += _HEX[sign]
            return chr(int(self._pattern[self.at - _HEX[sign] : self.at], 16))
        if sign in "pP":
            self.at = self._pattern.index("}", self.at) + 1
            return _LETTERS
        return "" if sign in _WITHOUT_WIDTH else _SETS.get(sign) or _CONTROLS.get(sign, sign)

    def _set(self) -> str:
        others = self._ahead("^")
        found = ""
        first = True
        while first or self._pattern[self.at] != "]":
            first = False
            begin = self._member()
            if len(begin) == 1 and self._pattern[self.at] == "-" and self._pattern[self.at + 1] != "]":
                self.at += 1
                end = self._member()
                found += "".join(map(chr, range(ord(begin), min(ord(end), ord(begin) + 127) + 1)))
            else:
                found += begin
        self.at += 1
        return "".join(sign for sign in _WORD + _PRINTABLE if sign not in found) if others else found

    def _member(self) -> str:
        return self._escaped() if (sign := self._next()) == "\\" else sign


def _nothing(_chance: random.Random) -> str:
    return ""


def _any_of(signs: str) -> Piece:
    return lambda chance: chance.choice(signs) if signs else ""

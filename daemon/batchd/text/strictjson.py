"""JSON as RFC 8259 wants it, with every flaw named by its place: decoded at the speed of the C decoder.

What Python's own decoder lets pass is refused here: NaN and Infinity, keys that appear twice, halves of surrogate
pairs, numbers without bounds, nesting without end. The good case costs one pass; only a bad value is looked at again.
"""

import json
import math
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

Json: TypeAlias = object
"""What JSON can say: dict, list, str, int, float, bool or None, each nested in the first two; ask which."""

DEEPEST: Final = 200
"""Levels of nesting in one value."""

MOST_FLAWS: Final = 1_000
"""Flaws told of one value; who has more than these knows enough."""

_MOST_BRACKETS: Final = 1_000_000
_BIG: Final = 2_000_000
_LONGEST_NUMBER: Final = 4_300
_SHOWN: Final = 60


class Flaw(NamedTuple):
    """Something wrong within a value."""

    field: str
    """Where, as a path from the value: `messages[0].role`; empty for the value itself."""
    message: str
    """What, and what would do."""


class Flawed(Exception):
    """A value was decoded, and is not JSON all the same."""

    def __init__(self, flaws: list[Flaw]) -> None:
        """Keep what is wrong with it.

        Args:
            flaws: At least one.
        """
        super().__init__(flaws[0].message)
        self.flaws = flaws


class Malformed(Exception):
    """The text is no JSON; nothing after this place can be understood."""

    def __init__(self, position: int, message: str) -> None:
        """Keep what is wrong.

        Args:
            position: The character at which the decoder gave up, from 0.
            message: What is wrong.
        """
        super().__init__(message)
        self.position = position
        self.message = message


class _Blemish(ValueError):
    """Stands in a decoded value for something that JSON does not have."""


def _strict_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Blemish
    return found


def _strict_constant(name: str) -> Json:
    raise _Blemish(name)


# One mark serves for all of a kind: a hostile file may hold millions.
_TWICE: Final = _Blemish("this key appears twice in one object; keep one of them")


def _marked_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        found[key] = _TWICE if key in found else value
    return found


@cache
def _marked_constant(name: str) -> Json:
    return _Blemish(f"{name} is not JSON; use a number, a string or null")


def _marked_int(digits: str) -> Json:
    if len(digits) > _LONGEST_NUMBER:
        return _Blemish(f"a number of {len(digits):,} digits; at most {_LONGEST_NUMBER:,} are taken")
    return int(digits)


_STRICT: Final = json.JSONDecoder(object_pairs_hook=_strict_object, parse_constant=_strict_constant)
_MARKING: Final = json.JSONDecoder(
    object_pairs_hook=_marked_object, parse_constant=_marked_constant, parse_int=_marked_int
)
_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


def decode(text: str, start: int = 0) -> tuple[Json, int]:
    """Decode the value that begins at a place of a text.

    Args:
        text: JSON, with more behind it or not.
        start: The character at which the value begins, from 0; no white space is skipped.

    Returns:
        The value, and the place behind it.

    Raises:
        Malformed: It is no JSON, is nested too deep, or does not end in this text.
        Flawed: It is decodable, but has keys twice, NaN, or endless numbers; no place behind it is known.
    """
    try:
        value, end = _STRICT.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Malformed(error.pos, error.msg) from None
    except RecursionError:
        raise Malformed(start, _too_deep()) from None
    except ValueError:  # a blemish, or int() at its limit of digits
        raise Flawed(_flaws_at(text, start)) from None
    # Brackets in strings count here too: only where there are many is the true depth worth a walk.
    if text.count("{", start, end) + text.count("[", start, end) > DEEPEST and _deep(value):
        raise Flawed([Flaw("", _too_deep())])
    return value, end


def crowded(text: str, start: int = 0) -> bool:
    """Tell whether a value would fill the memory, before it is decoded: every empty list takes twenty times its text.

    A request of that many brackets, be they in strings, is beyond every model's window.

    Args:
        text: JSON.
        start: The character at which the value begins.
    """
    return len(text) - start > _BIG and text.count("[", start) + text.count("{", start) > _MOST_BRACKETS


def skip(text: str, start: int) -> int:
    """Find the end of a flawed value.

    Args:
        text: What `decode` said was flawed.
        start: Where the value begins.

    Returns:
        The place behind it.
    """
    return _MARKING.raw_decode(text, start)[1]


def encode(value: Json) -> bytes:
    """Write a value as compact UTF-8 in one line, keys in their order.

    Args:
        value: What `decode` gave, or its parts put together anew.

    Raises:
        Flawed: It has halves of surrogate pairs, or numbers beyond all bounds such as 1e999.
    """
    try:
        return _ENCODE(value).encode()
    except (UnicodeEncodeError, ValueError):
        raise Flawed(list(islice(_unwritable(value, ""), MOST_FLAWS))) from None


def shown(text: str) -> str:
    """Quote a name of the user's for a message: short, on one line, and encodable.

    Args:
        text: A key, a model id or the like; never a prompt.
    """
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def member(path: str, key: str) -> str:
    """Extend a path by a key of an object.

    Args:
        path: The object's own path, or nothing.
        key: The key; anything but a plain word is quoted, and a long one cut.
    """
    plain = len(key) <= _SHOWN and key.isidentifier() and key.isascii()
    word = key if plain else shown(key)
    return f"{path}.{word}" if path else word


def _too_deep() -> str:
    return f"nested deeper than {DEEPEST} levels"


def _deep(value: Json) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return any(isinstance(each, (dict, list)) for each in level)


def _inside(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _flaws_at(text: str, start: int) -> list[Flaw]:
    try:
        value, _ = _MARKING.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Malformed(error.pos, error.msg) from None
    except RecursionError:
        raise Malformed(start, _too_deep()) from None
    if _deep(value):
        return [Flaw("", _too_deep())]
    flaws = (Flaw(path, str(leaf)) for path, leaf in _leaves(value, "") if isinstance(leaf, _Blemish))
    return list(islice(flaws, MOST_FLAWS))


def _unwritable(value: Json, path: str) -> Iterator[Flaw]:
    for place, leaf in _leaves(value, path):
        if isinstance(leaf, float):
            if not math.isfinite(leaf):
                yield Flaw(place, "a number beyond all bounds, or none at all; use another one")
        elif isinstance(leaf, str) and not _encodable(leaf):
            yield Flaw(place, r"half of a surrogate pair (\ud800 to \udfff), which is no character; write it whole")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Walk a value; the keys of objects are visited as leaves of their own, since they may be flawed too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path, key
            yield from _leaves(inner, member(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value

"""Where the values of a statement stand: SQLite's `?`, `?1` and `:name` as the `$1` of PostgreSQL."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

_PLACE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|\?(\d+)?|(?<![:\w]):([a-z_]\w*)")
_HINT: Final = re.compile(r"\s+INDEXED BY \w+")
"""An advice to SQLite's planner, which is no part of what is asked."""


@cache
def placed(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with `$1` and so on, and in which order the names of its values stand, if they have names."""
    last, names = 0, list[str]()

    def place(found: re.Match[str]) -> str:
        nonlocal last
        if found[2] is not None:
            if found[2] not in names:
                names.append(found[2])
            return f"${names.index(found[2]) + 1}"
        if not found[0].startswith("?"):
            return found[0]
        number = int(found[1]) if found[1] else last + 1
        last = max(last, number)
        return f"${number}"

    return _PLACE.sub(place, _HINT.sub("", sql)), tuple(names)


def in_order(names: Sequence[str], values: Sequence[object] | Mapping[str, object]) -> Sequence[object]:
    """The values of a statement in the order of its places."""
    return [values[name] for name in names] if isinstance(values, Mapping) else values

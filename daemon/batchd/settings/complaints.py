"""What is wrong with the settings, said so that a person can put it right: name, value, where it stands, what would do.

Pure. A value under a name that is not known is never shown, nor one that looks like a key: people mistake places.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchd.settings.values import Mistake

_LONGEST_VALUE = 60
_SECRET = re.compile(r"sk-|@|bearer", re.IGNORECASE)
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one source."""

    origin: str
    """How to name the source."""
    values: Mapping[str, Any] = field(repr=False)
    """Nested as in TOML."""
    prefix: str = ""
    """Of its variables, where the source is the environment."""


def complaints(mistakes: Iterable[Mistake], layers: Sequence[Layer], known: Sequence[str]) -> Iterator[str]:
    """Say each thing that is wrong in a line of its own.

    Args:
        mistakes: From the reading of all layers together.
        layers: The sources, the one that decides first.
        known: The keys of all settings, as in TOML.
    """
    for mistake in mistakes:
        key, where = ".".join(mistake.path), _origin(mistake.path, layers)
        if mistake.unknown:
            yield f"{key}{where}: there is no such setting; {_suggestion(mistake.path, known)}"
        elif mistake.of_several:
            yield mistake.message
        else:
            yield f"{key} = {_shown(mistake.value)}{where}: {mistake.message}"


def _origin(path: Sequence[str], layers: Sequence[Layer]) -> str:
    """Name the first source that says something at this place, as far as it can be told."""
    for layer in layers:
        value: Any = layer.values
        for depth, part in enumerate(path):
            value = value.get(part, _ABSENT) if isinstance(value, Mapping) else value if depth else _ABSENT
        if value is not _ABSENT:
            variable = "__".join(path).replace(".", "__").upper()
            return f" (from ${layer.prefix}{variable})" if layer.prefix else f" (from {layer.origin})"
    return ""


def _suggestion(path: Sequence[str], known: Sequence[str]) -> str:
    key = ".".join(path)
    tables = {candidate.partition(".")[0] for candidate in known}
    alike = {candidate.replace("_", "."): candidate for candidate in (*known, *tables)}
    if close := difflib.get_close_matches(key.replace("_", "."), alike, n=1, cutoff=0.6):
        return f"did you mean {alike[close[0]]}?"
    by_name = {candidate.rpartition(".")[2]: candidate for candidate in known}
    if close := difflib.get_close_matches(path[-1], by_name, n=1, cutoff=0.8):
        return f"did you mean {by_name[close[0]]}?"
    table = ".".join(path[:-1])
    siblings = [name.rpartition(".")[2] for name in known if table and name.rpartition(".")[0] == table]
    return f"[{table}] has {', '.join(siblings)}" if siblings else "docs/settings.md names all"


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    if _SECRET.search(text):
        return "(not shown)"
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"

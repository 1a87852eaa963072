"""The files of a bundle, as its prompt names them: by patterns, which no value of a row can widen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from batchd.decisions.jobfile.attachment import CountPages
from batchd.decisions.rows.media import MOST_MEDIUM_BYTES, Loaded, load
from batchd.text.globs import Globs, objection
from batchd.text.strictjson import Flaw, Flawed

_MOST_CAUTIONS: Final = 100
_MOST_KEPT: Final = 24_000_000
"""Bytes of files that are kept for further requests."""


@dataclass(slots=True)
class Files:
    """What lies beside a prompt, without the prompt itself."""

    sizes: Mapping[str, int]
    """In bytes, by the path of each file."""
    read: Callable[[str, int], bytes]
    """Reads a file whole, or a byte more than the most; raises an `OSError`."""
    pieces: Callable[[str], Iterator[bytes]]
    """Reads a file piece by piece."""
    count_pages: CountPages
    used: set[str] = field(default_factory=set)
    """Files that a request has, or rows are read from."""
    cautions: dict[str, str] = field(default_factory=dict)
    """By path, those that were not told yet."""
    _kept: dict[str, Loaded] = field(default_factory=dict)
    _kept_bytes: int = 0
    _told: set[str] = field(default_factory=set)

    def keep(self, loaded: Mapping[str, Loaded]) -> None:
        """Take files as they were read before."""
        self._kept |= loaded

    def find(self, pattern: str, place: str) -> list[str]:
        """Find the files that a pattern means.

        Args:
            place: The setting in which it stands.

        Raises:
            Flawed: It is no pattern, or means no file.
        """
        if pattern in self.sizes:
            return [pattern]
        said = objection(pattern)
        found = [] if said else matching(pattern, self.sizes)
        if not found:
            raise Flawed([Flaw(place, said or f"{_shown(pattern)} is no file of this bundle, nor a pattern for any")])
        return found

    def load(self, path: str, *, again: bool = True) -> Loaded:
        """Read a file as it goes along.

        Args:
            again: Whether others may need it, too, so that it is kept as long as there is room.

        Raises:
            Flawed: It cannot go along.
        """
        self.used.add(path)
        if (known := self._kept.get(path)) is not None:
            return known
        try:
            data = self.read(path, MOST_MEDIUM_BYTES)
        except OSError as error:
            raise Flawed([Flaw(path, f"cannot be read: {error.strerror}")]) from None
        loaded = load(path, data, self.count_pages)
        if loaded.wrong:
            raise Flawed([Flaw(path, loaded.wrong)])
        if loaded.caution and path not in self._told and len(self._told) < _MOST_CAUTIONS:
            self._told.add(path)
            self.cautions[path] = loaded.caution
        if again and self._kept_bytes + len(data) <= _MOST_KEPT:
            self._kept[path] = loaded
            self._kept_bytes += len(data)
        return loaded


def matching(pattern: str, paths: Sequence[str] | Mapping[str, object]) -> list[str]:
    """Find the paths that a sound pattern means, in their order."""
    globs = Globs([pattern])
    found: list[str] = []
    for path in paths:
        *folders, name = path.split("/")
        steps = globs.begin()
        for folder in folders:
            steps = globs.enter(steps, folder)
        if globs.meant(steps, name):
            found.append(path)
    return found


def _shown(path: str) -> str:
    return path if path.isprintable() else ascii(path)

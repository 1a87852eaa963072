"""Staging: what was uploaded waits here, out of the inbox, until somebody who has seen its price sends it."""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Self

from batchd.client.dropping import new_ticket
from batchd.edges.clock import Clock
from batchd.text import litter, safepath

_HOUR: Final = 3_600.0
_MOST: Final = 16
"""Files at one time; the oldest go first."""
_PROMPT: Final = "prompt.md"


@dataclass(frozen=True, slots=True)
class Staged:
    """An upload."""

    ticket: str
    """Under which it is dropped, if it is: however often that is asked for, it is one job."""
    path: Path
    folder: str
    """Of the inbox."""
    prompt: Path | None
    """What is asked about it; None for what its folder says."""
    by: str
    """Who uploaded it."""
    until: float


class Stage:
    """All uploads that wait, in a folder that ends with this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._root: Path | None = None
        self._staged: dict[str, Staged] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)

    def put(self, name: str, source: BinaryIO, *, folder: str, prompt: str, by: str) -> Staged:
        """Keep an upload for an hour; blocks.

        Raises:
            ValueError: Files of its name are never taken.
            OSError: The disk refuses.
        """
        safe = safepath.component(PurePosixPath(name.replace("\\", "/")).name or "_")
        if litter.ignored(safe):
            raise ValueError(f"a file of the name {safe} is ignored in the inbox: rename it first")
        self._clear()
        self._root = self._root or Path(tempfile.mkdtemp(prefix="batchd-page-"))
        ticket = new_ticket()
        at = self._root / ticket
        at.mkdir(mode=0o700)
        with (at / safe).open("xb") as written:
            shutil.copyfileobj(source, written, 1 << 20)
        asked = None
        if prompt.strip():
            (at / "asked").mkdir()
            asked = at / "asked" / _PROMPT
            asked.write_text(prompt.replace("\r\n", "\n"), encoding="utf-8")
        staged = Staged(ticket, at / safe, folder, asked, by, self._clock.now() + _HOUR)
        self._staged[ticket] = staged
        return staged

    def find(self, ticket: str, by: str) -> Staged | None:
        """An upload of somebody's that still waits."""
        self._clear(0)
        found = self._staged.get(ticket)
        return found if found is not None and found.by == by else None

    def drop(self, ticket: str) -> None:
        """Forget an upload; blocks."""
        if (gone := self._staged.pop(ticket, None)) is not None:
            shutil.rmtree(gone.path.parent, ignore_errors=True)

    def _clear(self, room: int = 1) -> None:
        now = self._clock.now()
        late = [each.ticket for each in self._staged.values() if each.until <= now]
        oldest = list(self._staged)[: max(len(self._staged) + room - _MOST, 0)]
        for ticket in {*late, *oldest}:
            with suppress(OSError):
                self.drop(ticket)


def priced(data: Mapping[str, object]) -> dict[str, object]:
    """What `batchd check --json` says of the one file."""
    found = data.get("files")
    return dict(found[0]) if isinstance(found, list) and found and isinstance(found[0], dict) else {}

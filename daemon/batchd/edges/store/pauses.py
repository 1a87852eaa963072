"""Pauses: what a person has asked not to be sent for a while. A pause is in force as long as its row is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Row, Transaction, returning, update
from batchd.model import BatchId, JobId

_HIT: Final = """(
    pauses.folder = '' OR substr(jobs.name, 1, length(pauses.folder) + 1) = pauses.folder || '/')"""
"""Whether a pause is about a job."""


class Paused(Exception):
    """A batch may not be sent: a person has paused a job of it, or everything. Nothing of it has left."""


@dataclass(frozen=True, slots=True)
class Pause:
    """What is not sent, and why."""

    folder: str | None
    """Of the inbox, with all below it; None for everything."""
    since: float
    """Unix seconds, as `until`."""
    until: float | None
    """When it ends of itself; None where a person ends it."""
    by: str
    """The user who asked for it."""
    reason: str | None


class Pauses:
    """The pauses of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Pause]:
        """List them: that of everything first, then by folder."""
        return [_pause_of(row) for row in await self._database.rows("SELECT * FROM pauses ORDER BY folder")]

    async def begin(self, pause: Pause) -> None:
        """Pause something, instead of any pause of the same folder; from this commit on no create of it begins."""

        async def step(db: Transaction) -> None:
            await update(
                db,
                """INSERT INTO pauses (folder, since, until, "by", reason) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (folder) DO UPDATE SET since = excluded.since, until = excluded.until,
                       "by" = excluded."by", reason = excluded.reason""",
                pause.folder or "",
                pause.since,
                pause.until,
                pause.by,
                pause.reason,
            )

        await self._database.write(step)

    async def end(self, folder: str | None = None) -> int:
        """End the pause of a folder, or every one, and say how many there were."""

        async def step(db: Transaction) -> int:
            return await update(db, "DELETE FROM pauses WHERE CAST(?1 AS TEXT) IS NULL OR folder = ?1", folder)

        return await self._database.write(step)

    async def end_due(self, now: float) -> int:
        """End those whose time is over, and say how many there were."""

        async def step(db: Transaction) -> int:
            return await update(db, "DELETE FROM pauses WHERE until <= ?", now)

        if await self._database.row("SELECT 1 FROM pauses WHERE until <= ?", now) is None:
            return 0
        return await self._database.write(step)

    async def jobs(self, pauses: Sequence[Pause]) -> frozenset[JobId]:
        """Name the unfinished jobs that some pauses are about; without a pause nothing is read."""
        if not pauses:
            return frozenset()
        rows = await self._database.rows(
            f"SELECT id FROM jobs WHERE NOT delivered AND EXISTS (SELECT 1 FROM pauses WHERE {_HIT})"  # noqa: S608  own text
        )
        return frozenset(JobId(row["id"]) for row in rows)

    async def keeps(self, batch: BatchId) -> bool:
        """Whether a job of a batch is paused."""
        return await self._database.row(_KEEPS, batch) is not None


_KEEPS: Final = f"""
    SELECT 1 FROM pauses WHERE EXISTS (
        SELECT 1 FROM jobs WHERE {_HIT} AND id IN (
            SELECT job FROM trips JOIN requests ON requests.id = request WHERE trips.batch = ?))"""  # noqa: S608  own text


async def refuse_if_paused(db: Transaction, batch: BatchId) -> None:
    """Let no intent be committed of what is paused: asked in its own transaction, so that nothing comes in between.

    Raises:
        Paused: It is.
    """
    if await returning(db, "SELECT 1 FROM pauses LIMIT 1") and await returning(db, _KEEPS, batch):
        raise Paused(f"batch {batch} is paused")


def _pause_of(row: Row) -> Pause:
    return Pause(row["folder"] or None, row["since"], row["until"], row["by"], row["reason"])

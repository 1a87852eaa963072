"""Workers: the processes that share the work on one database, each in a slot of its own."""

from collections.abc import Collection
from dataclasses import dataclass

from batchd.edges.store.calls import MINUTE
from batchd.edges.store.database import Database
from batchd.edges.store.statements import Row, Transaction, returning, update
from batchd.errors import Unavailable
from batchd.model import BatchId


@dataclass(frozen=True, slots=True)
class Worker:
    """One of them, as it last said itself."""

    slot: int
    name: str
    """Of its host, for people."""
    token: str
    """By which its connections are known."""
    engine: int | None
    """Its number in the timetable; None before it has one."""
    sweeps: bool
    """Whether it is the one that takes, packs and delivers."""
    began_at: float
    heard_at: float


@dataclass(frozen=True, slots=True)
class AtWork:
    """A worker, and the batches that it has in hand."""

    worker: Worker
    batches: tuple[BatchId, ...]


class GivenUp(Unavailable):
    """A worker was not heard for too long, and others have its work: it must end."""


class Workers:
    """The workers of the store. All times are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Worker]:
        """List them by their slots."""
        return [_worker(row) for row in await self._database.rows("SELECT * FROM workers ORDER BY slot")]

    async def at_work(self) -> list[AtWork]:
        """List them by their slots, with what they have in hand; nothing is written."""
        held = await self._database.in_hand()
        return [
            AtWork(each, tuple(map(BatchId, () if each.engine is None else held.get(each.engine, ()))))
            for each in await self.all()
        ]

    async def begin(self, worker: Worker) -> Worker | None:
        """Write down a worker that has just got its slot, and return the one that had it before, and is gone."""

        async def step(db: Transaction) -> Worker | None:
            before = await returning(db, "DELETE FROM workers WHERE slot = ? RETURNING *", worker.slot)
            await update(
                db,
                """INSERT INTO workers (slot, name, token, engine, sweeps, began_at, heard_at)
                   VALUES (?, ?, ?, ?, ?, ?, ?)""",
                *(worker.slot, worker.name, worker.token, worker.engine),
                *(worker.sweeps, worker.began_at, worker.heard_at),
            )
            return None if before is None else _worker(before)

        return await self._database.write(step)

    async def beat(self, token: str, *, engine: int | None, sweeps: bool, now: float) -> None:
        """Note that a worker was heard.

        Raises:
            GivenUp: It was not heard for too long.
        """

        async def step(db: Transaction) -> None:
            known = await update(
                db,
                "UPDATE workers SET heard_at = ?, engine = ?, sweeps = ? WHERE token = ?",
                *(now, engine, sweeps, token),
            )
            if not known:
                raise GivenUp("this worker was not heard for too long: others have taken over what it held")

        await self._database.write(step)

    async def lose(self, tokens: Collection[str], *, now: float) -> None:
        """Forget workers that are gone; the calls they made count for a minute from now on."""

        async def step(db: Transaction) -> None:
            for token in tokens:
                await update(db, "DELETE FROM workers WHERE token = ?", token)
                await update(
                    db, "UPDATE calls SET over_at = ? WHERE token = ? AND over_at IS NULL", now + MINUTE, token
                )

        await self._database.write(step)


def _worker(row: Row) -> Worker:
    return Worker(
        row["slot"], row["name"], row["token"], row["engine"], bool(row["sweeps"]), row["began_at"], row["heard_at"]
    )

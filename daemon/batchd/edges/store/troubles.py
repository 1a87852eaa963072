"""What keeps single things from being done: written down, so that `batchd status` and a restarted daemon know of it."""

import json
from collections.abc import Collection

from batchd.edges.store.database import Database
from batchd.edges.store.events import count
from batchd.edges.store.statements import Row, Transaction, update
from batchd.model import JobId
from batchd.trouble import Thing, Trouble, Work


class Troubles:
    """The troubles of the store: one at a time of each thing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Trouble]:
        """List them, the oldest first."""
        return [
            _trouble(row) for row in await self._database.rows("SELECT * FROM troubles ORDER BY since, work, thing")
        ]

    async def of(self, job: JobId) -> list[Trouble]:
        """List those of one job, the oldest first."""
        rows = await self._database.rows("SELECT * FROM troubles WHERE job = ? ORDER BY since, work, thing", job)
        return [_trouble(row) for row in rows]

    async def of_thing(self, thing: Thing) -> Trouble | None:
        """Read what keeps one thing, if anything does."""
        row = await self._database.row("SELECT * FROM troubles WHERE work = ? AND thing = ?", thing.work, thing.id)
        return None if row is None else _trouble(row)

    async def tell(self, trouble: Trouble) -> None:
        """Note what keeps a thing, in the place of what kept it before."""

        async def step(db: Transaction) -> None:
            if trouble.defect:
                await count(db, "defect", "", "")
            await update(
                db,
                """INSERT INTO troubles (work, thing, name, job, since, reason, defect) VALUES (?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (work, thing) DO UPDATE SET name = excluded.name, job = excluded.job,
                       since = excluded.since, reason = excluded.reason, defect = excluded.defect""",
                *(trouble.thing.work, trouble.thing.id, trouble.thing.name, trouble.thing.job),
                *(trouble.since, trouble.reason, trouble.defect),
            )

        await self._database.write(step)

    async def over(self, things: Collection[Thing]) -> None:
        """Note that nothing keeps these any more."""
        keys = json.dumps([[thing.work, thing.id] for thing in things])

        async def step(db: Transaction) -> None:
            await update(
                db,
                """DELETE FROM troubles WHERE (work, thing) IN (
                       SELECT value ->> 0, value ->> 1 FROM json_each(?))""",
                keys,
            )

        await self._database.write(step)


def _trouble(row: Row) -> Trouble:
    job = None if row["job"] is None else JobId(row["job"])
    thing = Thing(Work(row["work"]), row["thing"], row["name"], job)
    return Trouble(thing, row["since"], row["reason"], bool(row["defect"]))

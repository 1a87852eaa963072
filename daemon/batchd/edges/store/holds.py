"""Jobs that wait for money, or for a person's answer; and those that are let go."""

import json
from collections.abc import Iterable, Mapping

from batchd.decisions.money.budget import Hold, Purse
from batchd.edges.store.database import Database
from batchd.edges.store.deliveries import LET_GO
from batchd.edges.store.events import note_hold
from batchd.edges.store.requests import wishes_of
from batchd.edges.store.statements import AMONG, Row, Transaction, betas_of, update
from batchd.model import Held, JobId, Place, RequestId


class Holds:
    """Which jobs are held, and why."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(
        self,
        holds: Mapping[JobId, Hold],
        purse: Purse,
        *,
        now: float,
        tomorrow: float,
        next_month: float | None = None,
    ) -> None:
        """Keep jobs from sending more; not those that a person has let go since the purse was looked into.

        Args:
            holds: Which, and why.
            purse: By which that was decided.
            now: Unix seconds.
            tomorrow: When the next day begins, in unix seconds.
            next_month: The same of the month.
        """

        async def step(db: Transaction) -> None:
            for job, hold in holds.items():
                await update(
                    db,
                    """UPDATE jobs SET hold = ?, held_from = ?, hold_until = ?, hold_room = ?
                       WHERE id = ? AND released = ? AND coalesce(released_up_to, -1) = coalesce(?, -1)""",
                    hold.reason,
                    hold.first,
                    tomorrow if hold.until_tomorrow else next_month if hold.until_next_month else None,
                    hold.room,
                    job,
                    job in purse.released,
                    purse.released.get(job),
                )
                await note_hold(db, job, hold.bar, _episode(job, hold, purse, tomorrow, next_month), now)

        await self._database.write(step)

    async def uncounted(self, ahead: int) -> list[Held]:
        """List what is held by a bound: of each job the request that does not fit, and what comes after it.

        Args:
            ahead: Requests of one job, at the most.
        """
        return await self._database.values(
            _held,
            """SELECT r.id, job, jobs.name AS job_name, hold_room, model, max_tokens, r.betas, rounds, allowance,
                   wishes, worst, r.counted, claim, coalesce(sent_offset, "offset") AS "offset",
                   coalesce(sent_size, size) AS size
               FROM jobs JOIN requests AS r ON r.id IN (
                   SELECT id FROM requests WHERE job = jobs.id AND id >= held_from AND verdict IS NULL
                   AND batch IS NULL AND NOT promised AND worst IS NOT NULL ORDER BY id LIMIT ?)
               WHERE hold IS NOT NULL AND hold_room IS NOT NULL AND NOT cancel_wanted
                 AND EXISTS (SELECT 1 FROM requests WHERE id = held_from AND NOT counted)
               ORDER BY job, r.id""",
            ahead,
        )

    async def counted(self, request: RequestId, worst: int) -> None:
        """Note what a held request can cost, now that its tokens are counted; its job is tried again.

        Args:
            request: Its id.
            worst: Picodollars.
        """

        async def step(db: Transaction) -> None:
            await update(
                db,
                """UPDATE requests SET counted = TRUE, worst = ?
                   WHERE id = ? AND batch IS NULL AND verdict IS NULL AND NOT promised""",
                worst,
                request,
            )
            await update(db, f"{LET_GO} WHERE hold IS NOT NULL AND held_from = ?", request)

        await self._database.write(step)

    async def try_again(self, jobs: Iterable[JobId]) -> None:
        """Let some jobs go for which there may be room after all; those of a person's question stay."""
        among = json.dumps(list(jobs))

        async def step(db: Transaction) -> None:
            await update(db, f"{LET_GO} WHERE {AMONG.format('id')} AND twin IS NULL", among)

        await self._database.write(step)

    async def let_go(self, now: float) -> None:
        """Try those again whose day has come.

        Args:
            now: Unix seconds.
        """

        async def step(db: Transaction) -> None:
            await update(db, f"{LET_GO} WHERE hold IS NOT NULL AND hold_until <= ?", now)

        if await self._database.row("SELECT 1 FROM jobs WHERE hold IS NOT NULL AND hold_until <= ? LIMIT 1", now):
            await self._database.write(step)

    async def release(self, job: JobId, up_to: int | None = None) -> None:
        """Let a job go.

        Args:
            job: Its id.
            up_to: Picodollars that it may cost in all; None for whatever it costs.
        """

        async def step(db: Transaction) -> None:
            await update(db, f"{LET_GO}, twin = NULL, released = TRUE, released_up_to = ? WHERE id = ?", up_to, job)

        await self._database.write(step)

    async def release_twin(self, job: JobId) -> None:
        """Let a job go that seemed to be another once more; budgets hold for it as for any other."""

        async def step(db: Transaction) -> None:
            await update(db, f"{LET_GO}, caution = hold, twin = NULL WHERE id = ? AND twin IS NOT NULL", job)

        await self._database.write(step)


def _held(row: Row) -> Held:
    return Held(
        id=RequestId(row["id"]),
        model=row["model"],
        max_tokens=row["max_tokens"],
        rounds=row["rounds"],
        allowance=row["allowance"],
        wishes=wishes_of(row),
        betas=betas_of(row),
        worst=row["worst"],
        place=Place(row["claim"], row["offset"], row["size"]),
        job=JobId(row["job"]),
        job_name=row["job_name"],
        room=row["hold_room"],
        counted=bool(row["counted"]),
    )


def _episode(job: JobId, hold: Hold, purse: Purse, tomorrow: float, next_month: float | None) -> str:
    """What makes a hold another one than before: the day or month of its budget, or how far a person has let it go."""
    if hold.until_tomorrow or hold.until_next_month:
        return str(int(tomorrow if hold.until_tomorrow else next_month or 0))
    return str(purse.released[job]) if purse.released.get(job) is not None else ""

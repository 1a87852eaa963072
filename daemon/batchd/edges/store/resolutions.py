"""A person's answers about batches that the daemon holds, each in one commit."""

import aiosqlite

from batchd.edges.store.database import Database, Step, update
from batchd.lifecycle import State, may_follow
from batchd.model import BatchId, Evidence, JobId, RemoteId, Verdict

_SETTLE = "UPDATE batches SET state = 'settled', trouble = ?, doubted_at = NULL WHERE id = ? AND state = 'held'"


class NotHeld(Exception):
    """The batch waits for no answer: the daemon knows what to do about it, or it is settled."""


class Answers:
    """What `batchd resolve` and `batchd release` write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def held(self, job: JobId | None = None) -> list[BatchId]:
        """List the batches that wait for a person.

        Args:
            job: Only those that this job travels in; None for all.
        """
        rows = await self._database.rows(
            """SELECT id FROM batches WHERE state = 'held' AND (?1 IS NULL OR EXISTS (
                   SELECT 1 FROM trips JOIN requests ON requests.id = trips.request
                   WHERE trips.batch = batches.id AND requests.job = ?1)) ORDER BY id""",
            job,
        )
        return [BatchId(row["id"]) for row in rows]

    async def owner(self, remote: RemoteId) -> BatchId | None:
        """Say which batch of ours a batch of the API already is.

        Args:
            remote: The API's id.
        """
        row = await self._database.row("SELECT id FROM batches WHERE remote_id = ?", remote)
        return None if row is None else BatchId(row["id"])

    async def adopt(self, batch: BatchId, remote: RemoteId, *, now: float) -> None:
        """Take a batch of the API for a held one of ours; its results must still carry our nonce.

        Args:
            batch: The held one.
            remote: The API's id, no other batch's.
            now: Unix seconds, at which it is polled.

        Raises:
            NotHeld: It waits for no answer.
        """

        async def step(db: aiosqlite.Connection) -> int:
            return await update(
                db,
                """UPDATE batches SET state = 'processing', remote_id = ?, evidence = ?, next_poll_at = ?,
                       submitted_at = coalesce(submitted_at, ?), doubted_at = NULL, ended_at = NULL, results_url = NULL,
                       trouble = NULL WHERE id = ? AND state = 'held'""",
                remote,
                Evidence.PERSON,
                now,
                now,
                batch,
            )

        await self._answer(batch, State.PROCESSING, step)

    async def release(self, batch: BatchId, *, now: float) -> None:
        """Let the daemon ask again after a held batch whose id of the API is known.

        Args:
            batch: The held one.
            now: Unix seconds, at which it is polled.

        Raises:
            NotHeld: It waits for no answer, or its id of the API is not known.
        """

        async def step(db: aiosqlite.Connection) -> int:
            return await update(
                db,
                """UPDATE batches SET state = 'processing', next_poll_at = ?, doubted_at = NULL, ended_at = NULL,
                       results_url = NULL, trouble = NULL
                   WHERE id = ? AND state = 'held' AND remote_id IS NOT NULL""",
                now,
                batch,
            )

        await self._answer(batch, State.PROCESSING, step)

    async def resend(self, batch: BatchId, *, now: float) -> None:
        """Send the requests of a held batch again that have no result; what was created before may be paid twice.

        Where some have been delivered, the rest waits for another trip: the batch itself would carry them all.

        Args:
            batch: The held one.
            now: Unix seconds, from which on they wait.

        Raises:
            NotHeld: It waits for no answer.
        """

        async def step(db: aiosqlite.Connection) -> int:
            planned = await update(
                db,
                """UPDATE batches SET state = 'planned', remote_id = NULL, evidence = NULL, submitted_at = NULL,
                       expires_at = NULL, ended_at = NULL, results_url = NULL, next_poll_at = NULL, doubted_at = NULL,
                       cancelled_at = NULL, trouble = NULL
                   WHERE id = ?1 AND state = 'held' AND lane = 'batch'
                     AND NOT EXISTS (SELECT 1 FROM trips WHERE batch = ?1 AND outcome IS NOT NULL)""",
                batch,
            )
            if planned:
                return planned
            settled = await update(db, _SETTLE, "its requests without a result were sent again", batch)
            if settled:
                await update(db, "UPDATE trips SET outcome = 'resent' WHERE batch = ? AND outcome IS NULL", batch)
                await update(db, "UPDATE requests SET batch = NULL, since = ? WHERE batch = ?", now, batch)
            return settled

        await self._answer(batch, State.PLANNED, step)

    async def drop(self, batch: BatchId, reason: str) -> None:
        """Give up the requests of a held batch that have no result.

        Args:
            batch: The held one.
            reason: What their reports say.

        Raises:
            NotHeld: It waits for no answer.
        """

        async def step(db: aiosqlite.Connection) -> int:
            settled = await update(db, _SETTLE, reason, batch)
            if settled:
                await update(db, "UPDATE trips SET outcome = 'dropped' WHERE batch = ? AND outcome IS NULL", batch)
                await update(
                    db,
                    "UPDATE requests SET batch = NULL, verdict = ?, reason = ? WHERE batch = ?",
                    Verdict.CANCELED,
                    reason,
                    batch,
                )
            return settled

        await self._answer(batch, State.SETTLED, step)

    async def _answer(self, batch: BatchId, to: State, step: Step[int]) -> None:
        if not may_follow(State.HELD, to):
            raise ValueError(f"a batch that is held never becomes {to}")
        if not await self._database.write(step):
            raise NotHeld(f"batch {batch} waits for no answer")

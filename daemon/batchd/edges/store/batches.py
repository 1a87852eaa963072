"""Batches: planned from waiting requests, moved along the table of states, dissolved."""

import json
import sqlite3
from collections.abc import Iterable

import aiosqlite

from batchd.edges.store.database import Database, Row, betas_of, update
from batchd.lifecycle import CARRIES, OPTIONAL, State, may_follow
from batchd.model import (
    Batch,
    BatchId,
    Evidence,
    Lane,
    Place,
    RemoteId,
    Verdict,
)

_UNFINISHED = "state NOT IN ('settled', 'dissolved')"


class Stale(Exception):
    """The batch is no longer in the state the caller believed it to be in: read it again."""


class CountTaken(Exception):
    """Another batch of the same count is unresolved: wait for it."""


class Batches:
    """The batches of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unfinished(self) -> list[Batch]:
        """List the batches that are under way, held ones included."""
        return [_batch(r) for r in await self._database.rows(f"SELECT * FROM batches WHERE {_UNFINISHED}")]  # noqa: S608

    async def claim_for(self, api: str) -> bool:
        """Bind what is under way to an API, so that nothing is sent to, or asked of, another one.

        Args:
            api: A name of it.

        Returns:
            False, with nothing changed, where something is under way at another.
        """
        bound = await self._database.row("SELECT value FROM facts WHERE name = 'api'")
        if bound is None or bound["value"] != api:
            open_ = await self._database.row("SELECT 1 FROM requests WHERE verdict IS NULL LIMIT 1")
            if bound is not None and (open_ is not None or await self.unfinished()):
                return False

            async def step(db: aiosqlite.Connection) -> None:
                await update(db, "INSERT OR REPLACE INTO facts (name, value) VALUES ('api', ?)", api)

            await self._database.write(step)
        return True

    async def live_ids(self) -> list[BatchId]:
        """List the batches that need a courier."""
        rows = await self._database.rows(
            "SELECT id FROM batches WHERE state IN ('planned', 'intended', 'processing', 'ended')"
        )
        return [BatchId(row["id"]) for row in rows]

    async def get(self, batch: BatchId) -> Batch:
        """Read a batch.

        Args:
            batch: Its id.
        """
        row = await self._database.row("SELECT * FROM batches WHERE id = ?", batch)
        if row is None:
            raise LookupError(f"no batch {batch}")
        return _batch(row)

    async def move(self, batch: Batch, to: State, **changes: object) -> Batch:
        """Take a batch one step along the table, in one statement; what the new state does not carry is cleared.

        Args:
            batch: As the caller believes it to be.
            to: The state it comes to.
            changes: Columns to set at the same time.

        Raises:
            Stale: It is not in that state any more.
            CountTaken: It would be the second unresolved batch of its count.
            ValueError: The table has no such step.
        """
        if not may_follow(batch.state, to):
            raise ValueError(f"a batch that is {batch.state} never becomes {to}")
        if to is State.INTENDED:
            changes["gave_back"] = batch.state is not State.PLANNED
        try:
            cleared = dict.fromkeys(OPTIONAL - CARRIES[to])
            return await self._set(batch, state=to, **(cleared | changes))
        except sqlite3.IntegrityError as error:
            if to is State.INTENDED and "batches.count" in str(error):
                raise CountTaken from error
            raise

    async def note(self, batch: Batch, **changes: object) -> Batch:
        """Set columns of a batch that stays where it is.

        Args:
            batch: As the caller believes it to be.
            changes: The columns.

        Raises:
            Stale: It is not in that state any more.
        """
        return await self._set(batch, **changes)

    async def _set(self, batch: Batch, **changes: object) -> Batch:
        columns = ", ".join(f"{column} = ?" for column in changes)
        sql = f"UPDATE batches SET {columns} WHERE id = ? AND state = ? AND attempt = ?"  # noqa: S608  own names

        async def step(db: aiosqlite.Connection) -> int:
            return await update(db, sql, *changes.values(), batch.id, batch.state, batch.attempt)

        if not await self._database.write(step):
            raise Stale(f"batch {batch.id} is not {batch.state} any more")
        return await self.get(batch.id)

    async def body(self, batch: BatchId) -> list[Place]:
        """Say where the params of each row lie, in the order of the rows.

        Args:
            batch: Its id.
        """
        return await self._database.values(
            lambda row: Place(row["claim"], row["offset"], row["size"]),
            """SELECT claim, coalesce(sent_offset, requests.offset) AS offset,
                   coalesce(sent_size, requests.size) AS size FROM trips
               JOIN requests ON requests.id = trips.request JOIN jobs ON jobs.id = requests.job
               WHERE trips.batch = ? ORDER BY trips.row""",
            batch,
        )

    async def cancel_wanted(self, batch: BatchId) -> tuple[bool, bool]:
        """Say whether any, and whether every, job with a request in this batch has been cancelled.

        Args:
            batch: Its id.
        """
        row = await self._database.row(
            """SELECT max(cancel_wanted) AS any, min(cancel_wanted) AS every FROM jobs
               WHERE id IN (SELECT job FROM trips JOIN requests ON requests.id = request WHERE trips.batch = ?)""",
            batch,
        )
        return (False, False) if row is None else (bool(row["any"]), bool(row["every"]))

    async def jobs_in(self, batch: BatchId) -> list[str]:
        """Name the jobs that travel in a batch.

        Args:
            batch: Its id.
        """
        rows = await self._database.rows(
            """SELECT DISTINCT name FROM jobs WHERE id IN (
                   SELECT job FROM trips JOIN requests ON requests.id = request WHERE trips.batch = ?) ORDER BY id""",
            batch,
        )
        return [row["name"] for row in rows]

    async def jobs_open_in(self, batch: BatchId) -> list[str]:
        """Name the jobs of which a request travels in a batch and has not been delivered yet."""
        rows = await self._database.rows(
            """SELECT DISTINCT name FROM jobs WHERE id IN (
                   SELECT job FROM trips JOIN requests ON requests.id = request
                   WHERE trips.batch = ? AND outcome IS NULL) ORDER BY id""",
            batch,
        )
        return [row["name"] for row in rows]

    async def to_cancel(self) -> list[BatchId]:
        """List the batches that a cancelled job travels in and that were not told of it yet."""
        rows = await self._database.rows(
            """SELECT DISTINCT requests.batch AS id FROM requests JOIN jobs ON jobs.id = requests.job
               JOIN batches ON batches.id = requests.batch
               WHERE cancel_wanted AND NOT delivered AND requests.verdict IS NULL AND requests.batch IS NOT NULL
                 AND batches.cancelled_at IS NULL"""
        )
        return [BatchId(row["id"]) for row in rows]

    async def dissolve(self, batch: Batch, *, refused: str | None = None) -> None:
        """Free the requests of a batch that surely made none at the API.

        Args:
            batch: As the caller believes it to be.
            refused: Why the API refused it. A batch of one request gives that request its verdict; a larger one is
                cut in two cohorts, and so, trip by trip, what is wrong is found and the rest goes on.

        Raises:
            Stale: It is not in that state any more.
        """

        async def step(db: aiosqlite.Connection) -> int:
            changed = await update(
                db,
                "UPDATE batches SET state = 'dissolved', trouble = ? WHERE id = ? AND state = ?",
                refused and "the API refused it",
                batch.id,
                batch.state,
            )
            if not changed:
                return 0
            if refused is not None and batch.count == 1:
                await update(
                    db,
                    "UPDATE requests SET batch = NULL, verdict = ?, reason = ? WHERE batch = ?",
                    Verdict.ERRORED,
                    refused,
                    batch.id,
                )
                await update(db, "UPDATE trips SET outcome = 'errored' WHERE batch = ? AND outcome IS NULL", batch.id)
                return changed
            if refused is not None:
                await update(
                    db,
                    """UPDATE requests SET cohort = 'batch ' || ?1 || ' ' || (
                           SELECT iif(row < ?2, 'a', 'b') FROM trips WHERE trips.batch = ?1 AND request = requests.id
                       ) WHERE batch = ?1""",
                    batch.id,
                    batch.count // 2,
                )
            await update(db, "DELETE FROM trips WHERE batch = ?", batch.id)
            await update(db, "UPDATE requests SET batch = NULL WHERE batch = ?", batch.id)
            return changed

        if not may_follow(batch.state, State.DISSOLVED):
            raise ValueError(f"a batch that is {batch.state} cannot be dissolved")
        if not await self._database.write(step):
            raise Stale(f"batch {batch.id} is not {batch.state} any more")

    async def owners_of(self, remotes: Iterable[RemoteId]) -> dict[RemoteId, Evidence]:
        """Say which of these batches of the API some batch of ours owns, and what makes it believe so.

        Args:
            remotes: Their ids; any number.
        """
        rows = await self._database.rows(
            # What is settled is given back by nobody, whatever it was believed for.
            """SELECT remote_id, iif(state = 'settled', 'nonce', evidence) AS evidence FROM batches
               WHERE remote_id IN (SELECT value FROM json_each(?))""",
            json.dumps(list(remotes)),
        )
        return {RemoteId(row["remote_id"]): Evidence(row["evidence"]) for row in rows}

    async def disproved(self, batch: BatchId) -> frozenset[RemoteId]:
        """List the batches of the API that are known not to be this one.

        Args:
            batch: Its id.
        """
        rows = await self._database.rows("SELECT remote_id FROM disproved WHERE batch = ?", batch)
        return frozenset(RemoteId(row["remote_id"]) for row in rows)

    async def disprove(self, batch: BatchId, remote: RemoteId) -> None:
        """Note that a batch of the API is another's.

        Args:
            batch: The batch it was taken for.
            remote: The API's id.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, "INSERT OR IGNORE INTO disproved (batch, remote_id) VALUES (?, ?)", batch, remote)

        await self._database.write(step)


def _batch(row: Row) -> Batch:
    remote, baseline = row["remote_id"], row["baseline_id"]
    return Batch(
        id=BatchId(row["id"]),
        state=State(row["state"]),
        lane=Lane(row["lane"]),
        betas=betas_of(row),
        count=row["count"],
        size=row["size"],
        nonce=row["nonce"],
        attempt=row["attempt"],
        planned_at=row["planned_at"],
        baseline_id=None if baseline is None else RemoteId(baseline),
        baseline_time=row["baseline_time"],
        doubted_at=row["doubted_at"],
        remote_id=None if remote is None else RemoteId(remote),
        evidence=None if row["evidence"] is None else Evidence(row["evidence"]),
        submitted_at=row["submitted_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        results_url=row["results_url"],
        next_poll_at=row["next_poll_at"],
        cancelled_at=row["cancelled_at"],
        trouble=row["trouble"],
    )

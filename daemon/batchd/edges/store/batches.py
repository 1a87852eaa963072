"""Batches: planned from waiting requests, and taken along the table of states by verbs, one statement each.

What a state carries stands in `lifecycle.CARRIES`: a step clears the rest. The steps of a held batch, which a person
decides, are `resolutions`; nothing else writes the table `batches`.
"""

import json
from collections.abc import Callable, Collection, Sequence
from functools import partial

from batchd.edges.store import boarding, remotes, requests, trips
from batchd.edges.store.boarding import Leaving
from batchd.edges.store.database import Database
from batchd.edges.store.events import note_held_batch
from batchd.edges.store.facts import count_intent
from batchd.edges.store.pauses import refuse_if_paused
from batchd.edges.store.requests import SLICE
from batchd.edges.store.statements import AMONG, Taken, Transaction, fetch
from batchd.edges.store.transitions import Also, batch_of, changed, step_along
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Evidence, Intent, Lane, Plan, RemoteBatch, RemoteId, RequestId, Verdict
from batchd.notice import Why

_UNDER_WAY = frozenset({State.INTENDED, State.PROCESSING, State.ENDED})

OPEN = "state NOT IN ('settled', 'dissolved')"
"""Of batches that have not come to their end; said so, their own index finds them among all that ever were."""
_UNFINISHED = f"SELECT * FROM batches WHERE {OPEN}"  # noqa: S608  own text
_CARRIED = f"""SELECT id FROM batches
    WHERE {OPEN} AND state IN ('planned', 'intended', 'processing') AND lane = 'batch'"""  # noqa: S608  own text
_HELD = f"{_UNFINISHED} AND state = 'held'"


class CountTaken(Exception):
    """Another batch of the same account and count is unresolved: wait for it."""


class Batches:
    """The batches of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unfinished(self) -> list[Batch]:
        """List the batches that are under way, held ones included."""
        return [batch_of(row) for row in await self._database.rows(_UNFINISHED)]

    async def held(self) -> list[Batch]:
        """List the batches that wait for a person, oldest first."""
        return [batch_of(row) for row in await self._database.rows(_HELD)]

    async def get(self, batch: BatchId) -> Batch:
        """Read a batch.

        Raises:
            LookupError: There is none of this number.
        """
        row = await self._database.row("SELECT * FROM batches WHERE id = ?", batch)
        if row is None:
            raise LookupError(f"no batch {batch}")
        return batch_of(row)

    async def of(self, batches: Collection[BatchId]) -> list[Batch]:
        """Read batches, oldest first."""
        rows = await self._database.rows(
            f"SELECT * FROM batches WHERE {AMONG.format('id')} ORDER BY id",  # noqa: S608  own text
            json.dumps(list(batches)),
        )
        return [batch_of(row) for row in rows]

    async def given_up_before(self, batch: BatchId) -> list[Batch]:
        """List the dissolved batches that may have sent requests of this one, and of which nothing has shown yet."""
        rows = await self._database.rows(
            """SELECT * FROM batches WHERE twin IS NULL AND id IN (
                   SELECT batch FROM given_up WHERE request IN (SELECT request FROM trips WHERE trips.batch = ?))""",
            batch,
        )
        return [batch_of(row) for row in rows]

    async def count_taken(self, batch: Batch) -> bool:
        """Whether another batch of its account and count is unresolved, so that this one has to wait for it."""
        row = await self._database.row(
            """SELECT 1 FROM batches
               WHERE count = ? AND id <> ? AND state = 'intended' AND NOT gave_back AND lane = ? AND account = ?""",
            batch.count,
            batch.id,
            Lane.BATCH,
            batch.account,
        )
        return row is not None

    async def on_their_way(self) -> frozenset[BatchId]:
        """The batches that any worker carries: from their plan until the API has ended them."""
        rows = await self._database.rows(_CARRIED)
        return frozenset(BatchId(row["id"]) for row in rows)

    async def to_cancel(self) -> list[BatchId]:
        """List the batches that a cancelled job travels in and that were not told of it yet."""
        rows = await self._database.rows(
            """SELECT DISTINCT requests.batch AS id FROM requests JOIN jobs ON jobs.id = requests.job
               JOIN batches ON batches.id = requests.batch
               WHERE cancel_wanted AND NOT delivered AND requests.verdict IS NULL AND requests.batch IS NOT NULL
                 AND batches.cancelled_at IS NULL AND batches.leaving IS NULL"""
        )
        return [BatchId(row["id"]) for row in rows]

    async def plan(self, plans: Sequence[Plan], *, now: float, nonce: Callable[[], str]) -> None:
        """Put waiting requests on their trips: those that have got no verdict in the meantime.

        Args:
            plans: Which travel together.
            now: Unix seconds.
            nonce: Makes a new one.
        """
        await boarding.board_all(self._database, plans, now=now, nonce=nonce)

    async def let_leave(self) -> None:
        """Let the rows leave that a crash has kept aboard of batches that are over, or have not come about."""
        await boarding.let_leave(self._database)

    # Steps: each takes a batch as the caller believes it to be, and raises `Stale` where it is not in that state any
    # more, and `ValueError` where the table has no such step.

    async def intend(self, batch: Batch, intent: Intent) -> Batch:
        """Commit to one create, before its first byte leaves.

        Args:
            batch: A planned one.
            intent: What is known of the API just before; of a batch whose earlier attempt is in doubt, before that.

        Raises:
            CountTaken: It would be the second unresolved batch of its account and count.
            Paused: A person has paused a job of it.
        """

        async def also(db: Transaction) -> None:
            await refuse_if_paused(db, batch.id)
            await count_intent(db)

        try:
            return await self._step(
                batch,
                {State.PLANNED},
                State.INTENDED,
                also,
                attempt=batch.attempt + 1,
                gave_back=False,
                baseline_id=intent.baseline_id,
                baseline_time=intent.baseline_time,
                origin=intent.origin,
                organization=intent.organization,
            )
        except Taken as error:
            if error.where in {"batches.account, batches.count", "batches_unresolved"}:
                raise CountTaken from error
            raise

    async def adopt(  # noqa: PLR0913  what is known of the API's batch
        self, batch: Batch, remote: RemoteId, evidence: Evidence, *, now: float, next_poll_at: float,
        expires_at: float | None = None,
    ) -> Batch:  # fmt: skip
        """Take a batch of the API for ours.

        Args:
            batch: An intended or held one.
            remote: The API's id, no other batch's.
            evidence: What makes us believe it.
            now: Unix seconds.
            next_poll_at: When it is polled.
            expires_at: By the server's clock, where it is known.
        """
        return await self._step(
            batch,
            {State.INTENDED, State.HELD},
            State.PROCESSING,
            remote_id=remote,
            evidence=evidence,
            submitted_at=batch.submitted_at or now,
            expires_at=expires_at or batch.expires_at,
            next_poll_at=next_poll_at,
        )

    async def answered(self, batch: Batch, remote: RemoteId, *, now: float) -> Batch:
        """Note that a message of the sync lane has its answer, whole or cut.

        Args:
            batch: An intended one.
            remote: What the server calls it.
            now: Unix seconds.
        """
        return await self._step(
            batch,
            {State.INTENDED},
            State.ENDED,
            remote_id=remote,
            evidence=Evidence.ANSWER,
            submitted_at=batch.intent and batch.intent.baseline_time,
            ended_at=now,
        )

    async def not_created(self, batch: Batch) -> Batch:
        """Go back to before an attempt that surely made nothing at the API."""
        return await self._step(batch, {State.INTENDED}, State.PLANNED)

    async def give_up_looking(self, batch: Batch) -> Batch:
        """Go back to before an attempt of which nothing was found: it may still appear."""
        return await self._step(batch, {State.INTENDED}, State.PLANNED, doubts=batch.doubts + 1)

    async def end(self, batch: Batch, remote: RemoteBatch) -> Batch:
        """Note that the API has ended a batch.

        Args:
            batch: A processing one.
            remote: As the API told it.
        """
        return await self._step(
            batch, {State.PROCESSING}, State.ENDED, ended_at=remote.ended_at, results_url=remote.results_url
        )

    async def exchange(self, batch: Batch, twin: RemoteBatch) -> Batch:
        """Take the results of a second batch that carries the same requests, since it has ended first.

        Args:
            batch: A processing one; its own batch of the API becomes the superfluous one.
            twin: Ended, and proved to be ours.
        """
        return await self._step(
            batch,
            {State.PROCESSING},
            State.ENDED,
            remote_id=twin.id,
            evidence=Evidence.NONCE,
            ended_at=twin.ended_at,
            results_url=twin.results_url,
            twin=batch.remote_id if batch.surely_ours else batch.twin,
        )

    async def settle(self, batch: Batch) -> Batch:
        """Note that all results of an ended batch are delivered; a second batch of the API stays told."""
        told = None if batch.twin is None else f"{batch.twin} has requests of this one, and is paid for as well"
        return await self._step(batch, {State.ENDED}, State.SETTLED, trouble=told)

    async def give_back(self, batch: Batch) -> Batch:
        """Look again for a batch whose results were another's; that one is known not to be ours from now on."""

        async def disprove(db: Transaction) -> None:
            await remotes.disprove(db, batch.id, batch.known_id)

        return await self._step(batch, {State.ENDED}, State.INTENDED, disprove, gave_back=True)

    async def hold(self, batch: Batch, reason: str, why: Why = Why.UNDECIDED, *, now: float = 0.0) -> Batch:
        """Leave a batch to a person.

        Args:
            batch: Any that is under way.
            reason: Why nobody else can decide, in one line.
            why: The same in a word.
            now: Unix seconds.
        """

        async def tell(db: Transaction) -> None:
            await note_held_batch(db, batch.id, why, now)

        return await self._step(batch, _UNDER_WAY, State.HELD, tell, trouble=reason)

    async def dissolve(self, batch: Batch) -> Batch:
        """Free the requests of a planned batch, which made none at the API."""
        over = await self._step(batch, {State.PLANNED}, State.DISSOLVED, leaving=Leaving.WAITING)
        await boarding.leave(self._database, batch.id)
        return over

    async def part(self, batch: Batch, halves: Sequence[range]) -> Batch:
        """Free the requests of a batch that the API has refused, each half to travel apart from the other.

        Args:
            batch: An intended one.
            halves: Its rows, from `decisions.batch.plan.halves`.
        """
        for letter, half in zip("ab", halves, strict=True):
            for start in range(half.start, half.stop, SLICE):
                some, cohort = range(start, min(start + SLICE, half.stop)), f"batch {batch.id} {letter}"
                await self._database.write(partial(requests.set_apart, batch=batch.id, cohort=cohort, rows=some))
        said = "the API refused it"
        over = await self._step(batch, {State.INTENDED}, State.DISSOLVED, trouble=said, leaving=Leaving.WAITING)
        await boarding.leave(self._database, batch.id)
        return over

    async def refuse(self, batch: Batch, reason: str) -> Batch:
        """Give the request of a batch that the API has refused its verdict.

        Args:
            batch: An intended one, of one request, or a few.
            reason: What the API said; it stays in the job's own folder.
        """

        async def refuse(db: Transaction) -> None:
            rows = await fetch(db, "SELECT row, request FROM trips WHERE batch = ?", batch.id)
            them = [RequestId(row["request"]) for row in rows]
            await requests.give_verdict(db, batch.id, them, Verdict.ERRORED, reason)
            await trips.end(db, batch.id, "errored", [row["row"] for row in rows])

        return await self._step(batch, {State.INTENDED}, State.DISSOLVED, refuse, trouble="the API refused it")

    # Notes: they leave a batch in its state, and raise `Stale` like the steps.

    async def doubt(self, batch: Batch, *, since: float, trouble: str | None = None) -> Batch:
        """Note since when an unanswered create is looked for.

        Args:
            batch: An intended one.
            since: By the server's clock.
            trouble: What makes it doubtful, where that is not told yet.
        """
        return await self._note(batch, doubted_at=since, trouble=trouble or batch.trouble or "looking for its create")

    async def poll_later(
        self, batch: Batch, *, at: float, trouble: str | None, denied_since: float | None = None
    ) -> Batch:
        """Note when a processing batch is polled next, what keeps it, and since when the API denies it."""
        return await self._note(batch, next_poll_at=at, trouble=trouble, denied_since=denied_since)

    async def denied(self, batch: Batch, trouble: str, *, since: float | None) -> Batch:
        """Note since when the API denies what would tell of an intended batch, and how; None where it does no more."""
        return await self._note(batch, denied_since=since, trouble=trouble)

    async def cancelled(self, batch: Batch, *, at: float, next_poll_at: float) -> Batch:
        """Note that the API was told to cancel a processing batch."""
        return await self._note(batch, cancelled_at=at, next_poll_at=next_poll_at)

    async def prove(self, batch: Batch) -> Batch:
        """Note that the results of an ended batch carry its own ids."""
        return await self._note(batch, evidence=Evidence.NONCE)

    async def tell(self, batch: Batch, trouble: str) -> Batch:
        """Leave word of what keeps a batch, in one line for `batchd status`."""
        return await self._note(batch, trouble=trouble)

    async def lacks(self, batch: Batch, missing: int, *, since: float) -> Batch:
        """Note how many lines the results of an ended batch lack.

        Args:
            batch: It.
            missing: Lines.
            since: Unix seconds of the first reading that lacked as many.
        """
        return await self._note(batch, lacking=missing, lacking_since=since)

    async def tell_twin(self, batch: Batch, twin: RemoteId) -> Batch:
        """Note a second batch of the API that carries the same requests."""
        return await self._note(batch, twin=twin)

    async def _step(
        self, batch: Batch, before: Collection[State], to: State, also: Also | None = None, **changes: object
    ) -> Batch:
        return await self._database.write(step_along(batch, before, to, changes, also))

    async def _note(self, batch: Batch, **changes: object) -> Batch:
        return await self._database.write(changed(batch, changes, None))

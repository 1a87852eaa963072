"""The sync lane: single requests that cannot wait for a batch, streamed from the Messages API, one trip each.

There is no list in which an unanswered message could be looked for. So what comes is written down as it comes: whatever
ends this process, the answer is as long as it was then, is called cut, and is continued. Where nothing came that could
be continued, a person decides.

Only what is being sent takes one of the lane's seats: what waits, for time, disk, money or a person, has none.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import msgspec
import structlog
from anyio import to_thread

from batchd.claude import result_line
from batchd.claude.events import Liveness
from batchd.claude.streamed import Streamed
from batchd.decisions.money.charge import cost_of
from batchd.edges.clock import Clock
from batchd.edges.spool import read_from_spool
from batchd.edges.store import Store
from batchd.edges.transcripts import Transcript, Transcripts
from batchd.errors import InDoubt, Parked, Refused, Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Intent, Lane, RemoteId
from batchd.notice import Why
from batchd.running.accounts import ApiOf
from batchd.running.departure import Departure
from batchd.running.life import LifeLine
from batchd.running.pauses import Pauses
from batchd.running.wakeups import Leg, Wakeups
from batchd.text import typed

log = structlog.get_logger()

LONGEST: Final = 256 * 1024 * 1024
"""Bytes of a stream, beyond which the server is not believed to be sending an answer."""
_A_WHILE: Final = 3_600.0
"""Seconds after which what waits for a seat looks again, should nothing have woken it."""
_STOPPED: Final = "batchd was stopped while it came"
_CANCELLED: Final = "its job was cancelled while it came"
_CLOSED: Final = "the server closed its stream before the end"


class _Params(msgspec.Struct, frozen=True):
    """What a request's params say that matters here."""

    model: str = ""
    max_tokens: int = 0


@dataclass(slots=True)
class _Message:
    """A message that is being sent."""

    batch: Batch
    params: bytes
    model: str
    max_tokens: int
    transcript: Transcript | None = None
    cut: str = _STOPPED
    """Why its answer ends here, if it does."""


class SyncSender:
    """Sends single requests, and writes down what they are answered."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        accounts: ApiOf,
        clock: Clock,
        spool: Path,
        wakeups: Wakeups,
        departure: Departure,
        life: LifeLine,
        transcripts: Transcripts,
        collect: Leg,
        *,
        seats: int,
        timeout: float,
    ) -> None:
        """Join the edges.

        Args:
            store: Where batches stand.
            accounts: Where they go, by whose key.
            clock: What moments are told by.
            spool: The folder of the params.
            wakeups: Where they wait.
            departure: What they pass before.
            life: Tells the outbox of each intent.
            transcripts: Where answers are written down.
            collect: The last leg: from an ended batch to a settled one.
            seats: Messages that are sent at one time.
            timeout: Seconds for which a stream may say nothing but that it is still there.
        """
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._spool = spool
        self._wakeups = wakeups
        self._departure = departure
        self._life = life
        self._transcripts = transcripts
        self._collect = collect
        self._seats = seats
        self._timeout = timeout
        self._pauses = Pauses(clock)
        self._sending: set[BatchId] = set()
        self._streams: set[BatchId] = set()
        self._waiting: set[BatchId] = set()
        self._stopping = False
        self._ended = anyio.Event()

    async def room(self) -> int:
        """Count the seats that are free, less those for which something is planned that is about to go."""
        if self._stopping or self._departure.all_closed:
            return 0
        return self._seats - len(self._sending.union(await self._store.queue.about_to_be_streamed()))

    @property
    def closed(self) -> frozenset[str]:
        """The accounts for which nothing can be sent now."""
        return self._departure.closed

    @property
    def paused(self) -> frozenset[str]:
        """The models whose messages wait, since the API is too busy for them."""
        return self._pauses.models

    async def stop(self) -> None:
        """Begin nothing more, and return when all that was begun has ended."""
        self._stopping = True
        while self._streams:
            self._ended = anyio.Event()
            await self._ended.wait()

    async def submit(self, batch: Batch) -> Batch:
        """Send a planned message, once: its intent is durable before the first byte leaves.

        Args:
            batch: A planned one, of one request.
        """
        if self._stopping:
            await anyio.sleep_forever()
        message = await self._message(batch)
        cancelled, _ = await self._store.trips.cancel_wanted(batch.id)
        if not cancelled:
            wait, reason = self._pauses.check(message.model)
            if not wait and len(self._sending) >= self._seats:
                wait, reason = _A_WHILE, "it waits for a seat of the sync lane (sync.concurrency)"
            if wait:
                if batch.trouble != reason:
                    log.warning("batch waits", batch=batch.id, reason=reason)
                    batch = await self._store.batches.tell(batch, reason)
                return await self._wait(batch, wait)
        self._sending.add(batch.id)
        try:
            return await self._departure.leave(batch, lambda planned: self._send(planned, message))
        finally:
            self._sending.discard(batch.id)
            self._let_go()

    async def _wait(self, batch: Batch, seconds: float) -> Batch:
        self._waiting.add(batch.id)
        try:
            await self._wakeups.rest(batch.id, seconds)
        finally:
            self._waiting.discard(batch.id)
        return await self._store.batches.get(batch.id)

    def _let_go(self) -> None:
        for each in self._waiting:
            self._wakeups.call(each)

    async def _message(self, batch: Batch) -> _Message:
        (row,) = await self._store.trips.body(batch.id)
        place = row.place
        params = await to_thread.run_sync(read_from_spool, self._spool / place.claim, place.offset, place.size)
        found = typed.decode(params, _Params)
        return _Message(batch, params, found.model, found.max_tokens)

    async def _send(self, batch: Batch, message: _Message) -> Batch:
        message.batch = batch
        try:
            await self._until_cancelled(message)
        except InDoubt as doubt:
            log.warning("message cut off", batch=batch.id, reason=str(doubt))
        except Refused as refusal:
            log.warning("message refused", batch=batch.id, kind=refusal.kind)
            await self._store.batches.refuse(message.batch, f"{refusal.kind}: {refusal.said}")
            await to_thread.run_sync(self._transcripts.discard, message.batch)
        except Unavailable as trouble:
            await to_thread.run_sync(self._transcripts.take_back, message.batch)
            if message.batch.state is State.INTENDED:
                log.warning("batch waits", batch=batch.id, reason=str(trouble))
                planned = await self._store.batches.not_created(message.batch)
                await self._store.batches.tell(planned, str(trouble))
            if not isinstance(trouble, Parked):
                self._pauses.begin(message.model, str(trouble), trouble.retry_after or 0.0)
            raise
        else:
            self._pauses.end(message.model)
        return await self._store.batches.get(batch.id)

    async def _until_cancelled(self, message: _Message) -> None:
        """Send a message, and listen until its answer ends or its job is cancelled."""
        trouble: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_if_cancelled, message, tasks.cancel_scope)
            try:
                await self._stream(message)
            except Exception as error:  # noqa: BLE001  raised again below, where no group wraps it
                trouble = error
            tasks.cancel_scope.cancel()
        if trouble is not None:
            raise trouble

    async def _end_if_cancelled(self, message: _Message, listening: anyio.CancelScope) -> None:
        while not (await self._store.trips.cancel_wanted(message.batch.id))[0]:
            await self._wakeups.rest(message.batch.id, _A_WHILE)
        message.cut = _CANCELLED
        listening.cancel()

    async def _stream(self, message: _Message) -> None:
        async def ready() -> None:
            if self._stopping:
                await anyio.sleep_forever()
            intent = Intent(message.batch.count, None, self._clock.now())
            message.batch = await self._store.batches.intend(message.batch, intent)
            await self._life.tell()
            message.transcript = await self._transcripts.begin(message.batch, message.max_tokens)
            self._streams.add(message.batch.id)
            log.info("message sent", batch=message.batch.id)

        body = message.params.removesuffix(b"}") + b',"stream":true}'
        try:
            async with self._accounts.api(message.batch.account).stream(
                body, message.batch.betas, version=message.batch.version, ready=ready
            ) as pieces:
                liveness = Liveness()
                with anyio.CancelScope(deadline=anyio.current_time() + self._timeout) as patience:
                    async for piece in pieces:
                        if message.transcript is None:
                            break  # never: it is made before anything is sent
                        await message.transcript.add(piece)
                        if liveness.heard(piece):
                            patience.deadline = anyio.current_time() + self._timeout
                        if message.transcript.size > LONGEST:
                            message.cut = f"it did not end within {LONGEST:,} bytes"
                            break
                    else:
                        message.cut = _CLOSED
                if patience.cancelled_caught:
                    message.cut = f"nothing but signs of life came for {self._timeout:g} seconds"
        except InDoubt as doubt:
            message.cut = str(doubt)
            raise
        finally:
            if message.transcript is not None:
                await message.transcript.close(message.cut)
            self._streams.discard(message.batch.id)
            self._ended.set()

    async def pick_up(self, batch: Batch) -> Batch:
        """Look at what has come of an answer, whenever that was.

        Args:
            batch: An intended one.
        """
        found = await to_thread.run_sync(self._transcripts.read, batch)
        if found is None:
            return await self._store.batches.not_created(batch)
        cancelled, _ = await self._store.trips.cancel_wanted(batch.id)
        if found.ended or found.text or found.trouble is not None or cancelled:
            told = (found.message or {}).get("id")
            remote = RemoteId(told if isinstance(told, str) and told else f"{batch.nonce}_{batch.attempt}")
            return await self._store.batches.answered(batch, remote, now=self._clock.now())
        await self._note_cost(batch, found)
        return await self._store.batches.hold(batch, _why_held(found), Why.CUT_OFF, now=self._clock.now())

    async def _note_cost(self, batch: Batch, found: Streamed) -> None:
        """Write down what is known of the cost of an answer that brought nothing, for when it is decided about."""
        if not found.begun:
            return
        result = result_line.read(await to_thread.run_sync(self._transcripts.line, batch)).result
        model = result.model or (await self._message(batch)).model
        await self._store.deliveries.note_cost(
            batch, result.usage, cost_of(result, model, Lane.SYNC), bounded=result.bounded
        )

    async def deliver(self, batch: Batch) -> Batch:
        """Deliver an answer, whole or cut.

        Args:
            batch: An ended one.
        """
        batch = await self._collect(batch)
        kept = await to_thread.run_sync(self._transcripts.discard, batch)
        if kept is not None:
            log.error("a part of an answer could not be read", batch=batch.id, kept=kept.name)
        return batch


def _why_held(found: Streamed) -> str:
    if not found.begun:
        said = f"its answer was cut off before the first word ({found.broken})"
        return f"{said}: whether it was charged cannot be known here"
    return (
        f"its answer had begun ({found.seen}), and was cut off where it cannot go on ({found.broken}): "
        "so much is charged, and is counted"
    )

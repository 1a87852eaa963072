"""The express: single requests that cannot wait, through the streaming Messages API, one trip each.

There is no list in which an unanswered message could be looked for. So what comes is written down as it comes: whatever
ends this process, the answer is as long as it was then, is called cut, and is continued. Only where not even its first
word came, a person must decide.
"""

from pathlib import Path

import structlog
from anyio import to_thread

from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.spool import read_from_spool
from batchd.edges.store import Store
from batchd.edges.transcripts import Transcripts
from batchd.errors import InDoubt, Refused, Unavailable
from batchd.lifecycle import State
from batchd.model import Batch, Evidence, RemoteId
from batchd.running.wakeups import Leg, Wakeups

log = structlog.get_logger()


class SyncSender:
    """Sends single requests, and takes down what they are answered."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        api: Api,
        clock: Clock,
        spool: Path,
        wakeups: Wakeups,
        transcripts: Transcripts,
        collect: Leg,
    ) -> None:
        """Make ready.

        Args:
            store: Where they stand.
            api: Where they go.
            clock: What moments are told by.
            spool: The folder of the params.
            station: Where they wait.
            transcripts: Where answers are taken down.
            collect: The last leg: from an ended batch to a settled one.
        """
        self._store = store
        self._api = api
        self._clock = clock
        self._spool = spool
        self._wakeups = wakeups
        self._transcripts = transcripts
        self._collect = collect

    async def submit(self, batch: Batch) -> Batch:
        """Send a planned one, once: the intent is durable before the first byte leaves.

        Args:
            batch: A planned one, of one request.
        """
        return await self._wakeups.leave(batch, self._converse)

    async def _converse(self, batch: Batch) -> Batch:
        body = await self._body(batch)
        batch = await self._store.batches.move(
            batch,
            State.INTENDED,
            attempt=batch.attempt + 1,
            baseline_time=self._clock.now(),
            trouble=None,
        )
        log.info("message sent", batch=batch.id)
        try:
            async with self._transcripts.begin(batch) as transcript, self._api.converse(body, batch.betas) as pieces:
                async for piece in pieces:
                    await transcript.add(piece)
        except InDoubt as doubt:
            log.warning("message cut off", batch=batch.id, reason=str(doubt))
        except Refused as refusal:
            log.warning("message refused", batch=batch.id, kind=refusal.kind)
            await self._store.batches.dissolve(batch, refused=f"{refusal.kind}: {refusal.said}")
            return await self._store.batches.get(batch.id)
        except Unavailable:
            await self._store.batches.move(batch, State.PLANNED)
            raise
        return batch

    async def _body(self, batch: Batch) -> bytes:
        (place,) = await self._store.batches.body(batch.id)
        params = await to_thread.run_sync(read_from_spool, self._spool / place.claim, place.offset, place.size)
        return params.removesuffix(b"}") + b',"stream":true}'

    async def pick_up(self, batch: Batch) -> Batch:
        """Look at what has come of an answer, whenever that was.

        Args:
            batch: An intended one.

        Raises:
            Unavailable: The API has broken it off itself, before the first word: it is sent again later.
        """
        found = await to_thread.run_sync(self._transcripts.read, batch)
        if found.message is not None and (found.ended or found.text):
            now = self._clock.now()
            return await self._store.batches.move(
                batch,
                State.ENDED,
                remote_id=RemoteId(str(found.message.get("id") or f"{batch.nonce}_{batch.attempt}")),
                evidence=Evidence.ANSWER,
                submitted_at=batch.baseline_time,
                ended_at=now,
                trouble=None,
            )
        if found.trouble is not None:
            await self._store.batches.move(batch, State.PLANNED)
            raise Unavailable(f"the API broke its answer off before the first word ({found.trouble})")
        return await self._wakeups.hold(
            batch, "its answer was cut off before the first word: whether it was charged cannot be known here"
        )

    async def deliver(self, batch: Batch) -> Batch:
        """Deliver an answer, whole or cut.

        Args:
            batch: An ended one.
        """
        batch = await self._collect(batch)
        await to_thread.run_sync(self._transcripts.discard, batch)
        return batch

"""When each request of a job has its verdict: its reports are written, `job.json` last; or it is opened again."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import structlog
from anyio import from_thread, to_thread

from batchd.decisions.money.cache_warming import unmarked
from batchd.decisions.report import HELD, reported, state_of, summary, usd
from batchd.delivery import ReportRow
from batchd.edges.clock import Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.spool import read_at
from batchd.edges.store import Store
from batchd.model import Job, Verdict

log = structlog.get_logger()


class Finishing:
    """Finishes jobs, and opens finished ones again."""

    def __init__(self, store: Store, clock: Clock, outbox: Path, spool: Path) -> None:
        """Make ready.

        Args:
            store: Where jobs stand.
            clock: What moments are told by.
            outbox: Where reports go.
            spool: The folder of the params.
        """
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._spool = spool

    async def finish(self, job: Job) -> None:
        """Write the reports of a job, `job.json` last. Done twice, it writes the same bytes.

        Args:
            job: One whose every request has its verdict.
        """
        job = await self._store.jobs.close(job.id, self._clock.now())
        tally = await self._store.jobs.tally(job.id)
        batches = await self._store.jobs.batches_of(job.id)
        folder = JobFolder(self._outbox, job.name)
        await to_thread.run_sync(folder.write_whole, "report.jsonl", self._lines(job, reported))
        if tally.verdicts.get(Verdict.COMPLETE, 0) < job.total:
            await to_thread.run_sync(folder.write_whole, "failures.jsonl", self._failures(job))
        await to_thread.run_sync(folder.sync)
        await to_thread.run_sync(folder.remove, HELD)
        whole = msgspec.json.format(msgspec.json.encode(summary(job, tally, batches)), indent=2) + b"\n"
        await to_thread.run_sync(folder.write_whole, "job.json", [whole])
        await to_thread.run_sync(folder.sync)
        await self._store.jobs.deliver(job.id)
        if not await self._store.jobs.needs_params(job.claim):
            await to_thread.run_sync(lambda: (self._spool / job.claim).unlink(missing_ok=True))
        state, charged = state_of(job, tally), usd(tally.cost.charged)
        log.info("job finished", job=job.name, state=state, requests=job.total, usd=charged)

    async def reopen(self, job: Job) -> None:
        """Let the failed requests of a finished job travel again; their old lines leave `results.jsonl`.

        Args:
            job: A finished one that a person wants to try again.
        """
        failed = await self._store.jobs.failed_ids(job.id)
        folder = JobFolder(self._outbox, job.name)

        def take_back() -> int:
            for file in ("job.json", "report.jsonl", "failures.jsonl"):
                folder.remove(file)
            folder.sync()
            length = folder.write_whole("results.jsonl", _without(folder.path / "results.jsonl", failed))
            folder.sync()
            return length

        length = await to_thread.run_sync(take_back)
        await self._store.jobs.reopen(job.id, results_length=length, now=self._clock.now())
        log.info("job opened again", job=job.name, requests=len(failed))

    def _lines(self, job: Job, line_of: Callable[[ReportRow], object]) -> Iterator[bytes]:
        for row in self._rows(job):
            yield msgspec.json.encode(line_of(row)) + b"\n"

    def _failures(self, job: Job) -> Iterator[bytes]:
        with (self._spool / job.claim).open("rb") as spooled:
            for row in self._rows(job):
                if row.verdict is not Verdict.COMPLETE:
                    failure = {"verdict": row.verdict, "reason": row.reason}
                    params = read_at(spooled, row.offset, row.size)
                    said = unmarked(msgspec.json.decode(params)) if row.cached else msgspec.Raw(params)
                    line = {"custom_id": row.custom_id, "params": said, **row.settings, "failure": failure}
                    yield msgspec.json.encode(line) + b"\n"

    def _rows(self, job: Job) -> Iterator[ReportRow]:
        """Every request of a job, drawn page by page from within a worker thread, so that none is kept."""
        pages = self._store.reports.read(job.id)
        while (page := from_thread.run(_next, pages)) is not None:
            yield from page


async def _next(pages: AsyncIterator[list[ReportRow]]) -> list[ReportRow] | None:
    return await anext(pages, None)


def _without(results: Path, custom_ids: frozenset[str]) -> Iterator[bytes]:
    """The lines of a result file but for the failures of some requests; of a file that is not there, none."""

    class Typed(msgspec.Struct):
        type: str

    class Named(msgspec.Struct):
        custom_id: str
        result: Typed

    decoder = msgspec.json.Decoder(Named)
    try:
        descriptor = os.open(results, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "rb") as lines:
        for line in lines:
            found = decoder.decode(line)
            if found.custom_id not in custom_ids or found.result.type == "succeeded":
                yield line

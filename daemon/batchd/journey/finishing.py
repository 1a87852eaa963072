"""When each request of a job has its verdict, its reports are written, `job.json` last; or the job is opened again."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog
from anyio import from_thread, to_thread

from batchd.decisions.document.contents import Contents
from batchd.decisions.notices.finished import finished
from batchd.decisions.report import HELD, failure, rehearsal, reported, state_of, summary, usd
from batchd.delivery import ReportRow, Tally, Unsent
from batchd.edges import disk
from batchd.edges.clock import Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.spool import read_at
from batchd.edges.store import Change, Store
from batchd.edges.store.amendments import apply
from batchd.edges.store.retries import Superseded
from batchd.journey.amending import add_params, changes, discard_params, portions
from batchd.journey.answers_table import Lost, Reported, write_answers
from batchd.journey.documents import Documents
from batchd.journey.joins import write_joins
from batchd.journey.reopening import take_back, take_back_left_out
from batchd.model import NOTHING_BEGUN, Job, RequestId, Standing, Verdict

log = structlog.get_logger()

REPORT = "report.jsonl"
JOB = "job.json"


class Finishing:
    """Finishes jobs, and opens finished ones again."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        clock: Clock,
        outbox: Path,
        spool: Path,
        documents: Documents,
        *,
        guard_formulas: bool = True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._spool = spool
        self._documents = documents
        self._guard_formulas = guard_formulas

    async def finish(self, job: Job) -> str:
        """Write the reports of a job whose every request has its verdict, and say how it ended.

        Done twice, it writes the same bytes.
        """
        job = await self._store.jobs.close(job.id, self._clock.now())
        tally = await self._store.tallies.of(job.id)
        batches = await self._store.tallies.batches_of(job.id)
        folder = JobFolder(self._outbox, job.name)
        await self._deliver_drafts(job, folder)
        await to_thread.run_sync(_have_results, folder)
        cautions = await to_thread.run_sync(self._write_answers, job, folder)
        standing = await self._join(job, folder)
        await to_thread.run_sync(folder.write_whole, REPORT, (line_of(row, job) for row in self._rows(job)))
        if tally.verdicts.get(Verdict.COMPLETE, 0) < job.total:
            await to_thread.run_sync(folder.write_whole, "failures.jsonl", self._failures(job))
        await to_thread.run_sync(folder.sync)
        await to_thread.run_sync(folder.remove, HELD)
        await to_thread.run_sync(folder.write_whole, JOB, [self.summarized(job, tally, batches, cautions, standing)])
        await to_thread.run_sync(folder.sync)
        reasons = (
            await self._store.progress.codes(job.id) if tally.verdicts.get(Verdict.COMPLETE, 0) < job.total else []
        )
        await self._store.jobs.deliver(job.id, notices=[finished(job, tally, reasons)])
        if not await self._store.jobs.needs_params(job.claim):
            await to_thread.run_sync(self._discard_params, job)
        state, charged = state_of(job, tally), usd(tally.cost.charged)
        log.info(
            "job finished", job=job.name, state=state, requests=job.total, usd=charged, **rehearsal(sandbox=job.sandbox)
        )
        return state

    def summarized(
        self,
        job: Job,
        tally: Tally,
        batches: list[str],
        cautions: Sequence[str] = (),
        standing: Standing = NOTHING_BEGUN,
    ) -> bytes:
        """All of a job's `job.json`."""
        told = summary(job, tally, batches, cautions, standing)
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"

    async def _join(self, job: Job, folder: JobFolder) -> Standing:
        """Write the joins of a job's steps, and say how these stand."""
        if job.steps is None:
            return NOTHING_BEGUN
        answers = {
            step.name: await self._store.steps.answers(job.id, number)
            for number, step in enumerate(job.steps.steps)
            if not step.join
        }
        written = await to_thread.run_sync(write_joins, folder, job.steps, answers)
        await to_thread.run_sync(folder.sync, written)
        return await self._store.steps.standing(job.id)

    def _write_answers(self, job: Job, folder: JobFolder) -> list[str]:
        """Write the rows as they came, with their answers; return what a user should know of them."""
        if job.rows is None:
            return []
        scratch = self._spool / job.claim
        try:
            reports = Reported(partial(self._in_order, job), partial(self._late, job))
            return write_answers(folder, job.rows, reports, scratch, guard=self._guard_formulas)
        except Lost as lost:
            log.warning("no table of answers", job=job.name, reason=str(lost))
            return [str(lost)]

    async def _deliver_drafts(self, job: Job, folder: JobFolder) -> None:
        """Deliver what was paid of documents whose next round was cancelled, dropped or refused before it was sent."""
        unsent = await self._store.deliveries.unsent(job.id)
        if unsent:
            written = await to_thread.run_sync(_write_drafts, folder, self._documents, unsent)
            await self._store.deliveries.attach(written)

    async def reopen(self, job: Job) -> None:
        """Let requests of a finished job travel again; their old lines leave `results.jsonl`."""
        store, now = self._store, self._clock.now()
        folder = JobFolder(self._outbox, job.name)
        gone = await store.retries.superseded(job.id)
        amendment = await store.amendments.to_apply(job.id)
        amend = None
        if amendment is not None:
            changed = partial(changes, self._spool, amendment)
            gone = await to_thread.run_sync(self._superseded, gone, changed)
            await to_thread.run_sync(take_back_left_out, folder, changed, job.rows)
            reach = await store.amendments.reach(job.id)
            begin = await to_thread.run_sync(add_params, self._spool, amendment, job, reach)
            amend = partial(apply, amendment=amendment, changes=changed, begin=begin, now=now)
        length = await to_thread.run_sync(take_back, folder, gone)
        await store.retries.reopen(job.id, results_length=length, now=now, amend=amend)
        if amendment is not None:
            await to_thread.run_sync(discard_params, self._spool, amendment)
        log.info("job opened again", job=job.name, requests=len(gone.failed) + len(gone.paid))

    def _superseded(self, gone: Superseded, changed: Callable[[], Iterator[Change]]) -> Superseded:
        for some in portions(changed()):
            gone |= from_thread.run(self._store.amendments.superseded, some)
        return gone

    def _failures(self, job: Job) -> Iterator[bytes]:
        """What failed; params that cannot be read any more keep no job from its end."""
        with ExitStack() as opened:
            spooled: BinaryIO | None = None
            with suppress(OSError):
                spooled = opened.enter_context((self._spool / job.claim).open("rb"))
            for row in self._rows(job):
                if row.verdict is not Verdict.COMPLETE:
                    yield msgspec.json.encode(failure(row, _params(spooled, row))) + b"\n"

    def _rows(self, job: Job) -> Iterator[ReportRow]:
        """Every request of a job, drawn page by page from within a worker thread, so that none is kept."""
        pages = self._store.reports.read(job.id)
        while (page := from_thread.run(_next, pages)) is not None:
            yield from page

    def _in_order(self, job: Job) -> Iterator[ReportRow]:
        """The requests of a job in the order of its rows, but for those that have places of their own."""
        return (row for row in self._rows(job) if row.place is None)

    def _late(self, job: Job) -> Iterator[ReportRow]:
        """Those, in the order of their places, drawn as `_rows`."""
        pages = self._store.reports.read_late(job.id)
        while (page := from_thread.run(_next, pages)) is not None:
            yield from page

    def _discard_params(self, job: Job) -> None:
        if not disk.may_remove(self._spool.parent):
            return
        with suppress(OSError):  # the next start sweeps the spool
            (self._spool / job.claim).unlink()


def line_of(row: ReportRow, job: Job) -> bytes:
    """A line of a job's `report.jsonl`."""
    return msgspec.json.encode(reported(row, sandbox=job.sandbox)) + b"\n"


def _write_drafts(folder: JobFolder, documents: Documents, unsent: Iterable[Unsent]) -> dict[RequestId, Contents]:
    written: dict[RequestId, Contents] = {}
    names: list[str] = []
    for each in unsent:
        contents = documents.left_by(each)
        for name, text in contents.files:
            folder.write_whole(name, [text.encode()])
            names.append(name)
        written[each.request] = replace(contents, files=())
    folder.sync(names)
    return written


async def _next(pages: AsyncIterator[list[ReportRow]]) -> list[ReportRow] | None:
    return await anext(pages, None)


def _params(spooled: BinaryIO | None, row: ReportRow) -> bytes | None:
    """The params of a request, if they are there and JSON still."""
    if spooled is None:
        return None
    try:
        params = read_at(spooled, row.offset, row.size)
        msgspec.json.decode(params, type=msgspec.Raw)
    except (OSError, msgspec.DecodeError):
        return None
    return params


def _have_results(folder: JobFolder) -> None:
    """Make the file of results where there are none: readers may count on it as soon as `job.json` is there."""
    with folder.reading("results.jsonl") as found:
        if found is not None:
            return
    folder.append("results.jsonl", 0, ())

"""When each request of a job has its verdict: its reports are written, `job.json` last; or it is opened again."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog
from anyio import from_thread, to_thread

from batchd.decisions.money import from_picodollars
from batchd.decisions.priming import unmarked
from batchd.delivery import Filed, ReportRow
from batchd.edges.clock import Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.spool import read_at
from batchd.edges.store import AGAIN, Store, Tally
from batchd.model import Job, Verdict

log = structlog.get_logger()

HELD = "held.json"
"""What a job that is held has in its folder, and a finished one has not."""


class Closing:
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
        await to_thread.run_sync(folder.write_whole, "report.jsonl", self._lines(job, _reported))
        if tally.verdicts.get(Verdict.COMPLETE, 0) < job.total:
            await to_thread.run_sync(folder.write_whole, "failures.jsonl", self._failures(job))
        await to_thread.run_sync(folder.sync)
        await to_thread.run_sync(folder.remove, HELD)
        summary = msgspec.json.format(msgspec.json.encode(_summary(job, tally, batches)), indent=2) + b"\n"
        await to_thread.run_sync(folder.write_whole, "job.json", [summary])
        await to_thread.run_sync(folder.sync)
        await self._store.jobs.deliver(job.id)
        if not await self._store.jobs.needs_params(job.claim):
            await to_thread.run_sync(lambda: (self._spool / job.claim).unlink(missing_ok=True))
        state, usd = state_of(job, tally), _usd(tally.cost.charged)
        log.info("job finished", job=job.name, state=state, requests=job.total, usd=usd)

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


def state_of(job: Job, tally: Tally) -> str:
    """Say how a job ended: `done`, `partial`, `failed` or `cancelled`.

    Args:
        job: A finished one.
        tally: How its requests ended.
    """
    complete = tally.verdicts.get(Verdict.COMPLETE, 0)
    if complete == job.total:
        return "done"
    if job.cancel_wanted and tally.verdicts.get(Verdict.CANCELED):
        return "cancelled"
    return "partial" if complete or any(tally.verdicts.get(v) for v in Verdict if v.incomplete) else "failed"


def _summary(job: Job, tally: Tally, batches: list[str]) -> dict[str, object]:
    verdicts = tally.verdicts
    return {
        "job": job.name,
        "state": state_of(job, tally),
        "source": job.source,
        "received_at": timestamp(job.received_at),
        "finished_at": timestamp(job.finished_at or job.received_at),
        "requests": {
            "total": job.total,
            "complete": verdicts.get(Verdict.COMPLETE, 0),
            "incomplete": sum(count for verdict, count in verdicts.items() if verdict.incomplete),
            **{str(verdict): verdicts.get(verdict, 0) for verdict in AGAIN},
        },
        "usage": _tokens(tally),
        "cost_usd": _usd(tally.cost.charged),
        "standard_cost_usd": _usd(tally.cost.standard),
        "cache": {"decision": job.cache, "saved_usd": _usd(tally.saved)},
        "batches": batches,
    }


def _reported(row: ReportRow) -> dict[str, object]:
    return {
        "custom_id": row.custom_id,
        "verdict": row.verdict,
        "reason": row.reason or None,
        "stop_reason": row.stop_reason,
        **_tokens(row),
        "cost_usd": _usd(row.cost.charged),
        "standard_cost_usd": _usd(row.cost.standard),
        "attempts": row.attempts,
        "rounds": row.rounds,
        "batches": row.batches,
        "document": row.document,
        "sections": [{"title": title, "file": file} for title, file in row.sections],
        **(_files(row.filed) if row.filed else {}),
        "chain": [_trip(trip) for trip in row.chain],
    }


def _files(filed: Filed) -> dict[str, object]:
    return {
        "files": filed.written,
        "files_refused": [{"path": path, "reason": reason} for path, reason in filed.refused],
    }


def _trip(trip: dict[str, object]) -> dict[str, object]:
    cost = trip.pop("cost_picodollars")
    return {**trip, "cost_usd": _usd(from_picodollars(cost)) if isinstance(cost, int) else None}


def _tokens(of: Tally | ReportRow) -> dict[str, int]:
    usage = of.usage
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
    }


def timestamp(moment: float) -> str:
    """Write a moment as RFC 3339, in UTC.

    Args:
        moment: Unix seconds.
    """
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _usd(amount: Decimal | None) -> float | None:
    """An amount as a JSON number; a double holds any bill to the last digit that is charged."""
    return None if amount is None else float(amount)


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

"""Small jobs that came to a good end are finished together: three syncs and two commits, however many there are.

That way is for jobs whose every request is complete. Whatever is unusual about one is left to a turn of its own, which
does all that a finished job may ask for, and tells what keeps it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import structlog
from anyio import to_thread

from batchd.decisions.notices.finished import finished
from batchd.decisions.report import HELD, rehearsal, usd
from batchd.delivery import ReportRow, Tally
from batchd.edges import disk
from batchd.edges.clock import Clock
from batchd.edges.durable import Together
from batchd.edges.outbox import RESULTS, JobFolder
from batchd.edges.store import Store
from batchd.journey.finishing import JOB, REPORT, Finishing, line_of
from batchd.model import Job, JobId, Verdict

log = structlog.get_logger()

SMALL = 20
"""Requests of a job that may be finished together with others."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A job whose reports are written under hidden names."""

    job: Job
    tally: Tally
    folder: JobFolder


class BulkFinishing:
    """Finishes many jobs at one time."""

    def __init__(self, store: Store, clock: Clock, outbox: Path, spool: Path, finishing: Finishing) -> None:
        self._store = store
        self._finishing = finishing
        self._clock = clock
        self._outbox = outbox
        self._spool = spool

    async def finish(self, jobs: Sequence[Job]) -> frozenset[JobId]:
        """Write the reports of jobs whose every request has its verdict.

        Done twice, it writes the same bytes.

        Returns:
            Those that are finished; all of them came to a good end.

        Raises:
            OSError: The disk refuses; each may be finished in its own turn, whatever was done.
            Unavailable: The database does.
        """
        jobs = [job for job in jobs if job.rows is None and job.steps is None]
        tallies = await self._store.tallies.of_all([job.id for job in jobs])
        good = [
            job.id for job in jobs if not job.rejected and tallies[job.id].verdicts == {Verdict.COMPLETE: job.total}
        ]
        good = sorted(set(good) - await self._store.deliveries.continued(good))
        if not good:
            return frozenset()
        closed = await self._store.jobs.close_all(good, self._clock.now())
        batches = await self._store.tallies.batches_of_all(good)
        rows = await self._store.reports.read_all(good)
        written = await to_thread.run_sync(self._write, closed, tallies, batches, rows)
        notices = [finished(each.job, each.tally) for each in written]
        await self._store.jobs.deliver(*(each.job.id for each in written), notices=notices)
        await to_thread.run_sync(self._discard_params, written)
        for each in written:
            charged = usd(each.tally.cost.charged)
            job = each.job
            log.info(
                "job finished",
                job=job.name,
                state="done",
                requests=job.total,
                usd=charged,
                **rehearsal(sandbox=job.sandbox),
            )
        return frozenset(each.job.id for each in written)

    def _write(
        self,
        jobs: Iterable[Job],
        tallies: Mapping[JobId, Tally],
        batches: Mapping[JobId, list[str]],
        rows: Mapping[JobId, list[ReportRow]],
    ) -> list[_Written]:
        """Write reports durably, each `job.json` last; what cannot be written of one job keeps no other."""
        with Together(self._outbox) as durable:
            written: list[_Written] = []
            for job in jobs:
                each = _Written(job, tallies[job.id], JobFolder(self._outbox, job.name))
                with suppress(Exception):  # told in its own turn, which meets it again
                    summary = self._finishing.summarized(job, each.tally, batches[job.id])
                    _write_hidden(
                        each, {REPORT: b"".join(line_of(row, job) for row in rows[job.id]), JOB: summary}, durable
                    )
                    written.append(each)
            durable.sync()
            for name in (REPORT, JOB):
                written = [each for each in written if _named(each, name, durable)]
                durable.sync()
        return written

    def _discard_params(self, written: Iterable[_Written]) -> None:
        if not disk.may_remove(self._spool.parent):
            return
        for each in written:
            with suppress(OSError):  # the next start sweeps the spool
                (self._spool / each.job.claim).unlink()


def _write_hidden(each: _Written, texts: Mapping[str, bytes], durable: Together) -> None:
    inside = PurePosixPath(each.job.name)
    with disk.opened(each.folder.outbox, inside) as folder:
        if disk.stat_at(folder, RESULTS) is None:
            raise FileNotFoundError(RESULTS)
        for name, text in texts.items():
            with os.fdopen(disk.open_new(folder, disk.hidden(name)), "wb") as whole:
                whole.write(text)
            durable.note(each.folder.outbox, inside / disk.hidden(name))
        disk.unlink_at(folder, HELD)


def _named(each: _Written, name: str, durable: Together) -> bool:
    """Give a file its name; whether that was done."""
    inside = PurePosixPath(each.job.name)
    try:
        with disk.opened(each.folder.outbox, inside) as folder:
            os.rename(disk.hidden(name), name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        return False
    durable.note(each.folder.outbox, inside)
    return True

"""What the views show, as data: the fields of `status --json` and `costs --json`, read anew for each view.

The database is opened to read and closed again at once: a reader that stays would let its log grow.
"""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

from anyio import to_thread

from batchd.claude.price import from_picodollars
from batchd.decisions.notices.wording import PARKED_FOR
from batchd.decisions.report import rehearsal, timestamp
from batchd.edges import inbox
from batchd.edges.clock import Clock
from batchd.edges.lock import daemon_runs
from batchd.edges.store import Carried, JobStanding, Listed, Standing, Store, is_there, look_into_store
from batchd.edges.store.views.progress import own_words
from batchd.errors import BatchdError, Unusable
from batchd.model import BatchId, Job
from batchd.page import files
from batchd.page.entrance import Visitor
from batchd.settings import Settings
from batchd.standing.batches import answers, batch_as_data
from batchd.standing.jobs import job_as_data
from batchd.standing.pauses import pause_as_data
from batchd.standing.progress import Far
from batchd.standing.spent import spent_as_data
from batchd.standing.troubles import trouble_as_data
from batchd.standing.waits import waits_in

PAGE: Final = 50
"""Jobs, or requests, on one page."""
TIMELINE: Final = 60
"""Batches on the timeline."""
DAYS: Final = 90
_DAY: Final = 86_400.0
_LOW: Final = 1 << 30
"""Bytes of free space below which the page says so."""

Data = dict[str, object]


class NothingYet(BatchdError):
    """No daemon has run on this state folder yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """The installation that is looked at."""

    settings: Settings
    clock: Clock

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        """Open the store for one view.

        Raises:
            NothingYet: There is none.
            BatchdError: It cannot be read, or is another version's.
        """
        database = self.settings.database
        if not await to_thread.run_sync(is_there, database):
            raise NothingYet(f"no daemon has run on {self.settings.state} yet: start batchd run")
        async with look_into_store(database) as store:
            yield store


async def surroundings(place: Place) -> Data:
    """Read what stands above every view: whether a daemon runs, and whether there is room on the disk."""
    return await to_thread.run_sync(_surroundings, place.settings)


async def _parked(store: Store, around: Data) -> Data | None:
    """Say why nothing is sent, where a daemon runs and the account keeps it from sending."""
    found = await store.notices.parked()
    if found is None or not cast("Data", around["daemon"])["running"]:
        return None
    reason, since = found
    return {"reason": reason, "since": timestamp(since), "text": PARKED_FOR.get(reason, "see batchd status")}


async def jobs(place: Place, visitor: Visitor, *, before: int | None) -> Data:
    """Read what waits for a person, and a page of jobs, the newest first."""
    around = await surroundings(place)
    refusals = await to_thread.run_sync(_rejected, place.settings, visitor)
    try:
        async with place.opened() as store:
            listed = await store.browsing.jobs(visitor.folders, before=before, most=PAGE + 1)
            waiting = await store.browsing.waiting_for_a_person(visitor.folders)
            more, listed = len(listed) > PAGE, listed[:PAGE]
            every = {job.id: job for job in (*waiting, *listed)}
            standing = await store.overview.of(list(every.values()))
            reserved = await store.browsing.reserved(list(every))
            waits = await waits_in(store, place.settings, standing, place.clock.now())
            parked = await _parked(store, around)
    except NothingYet:
        return {
            **around,
            **refusals,
            "jobs": [],
            "waits": [],
            "batches": [],
            "troubles": [],
            "parked": None,
            "paused": [],
            "older": None,
        }
    told = {
        each.job.id: _job(each, standing, reserved.get(each.job.id, 0), waits.get(each.job.id))
        for each in standing.jobs
    }
    stands = {each.job.id: each for each in standing.jobs}
    return {
        **rehearsal(sandbox=standing.sandbox),
        **around,
        **refusals,
        "parked": parked,
        "paused": _paused(standing, visitor),
        "waits": [_wait(stands[job.id], standing, told[job.id]) for job in waiting],
        "jobs": [told[job.id] for job in listed],
        "older": listed[-1].id if more else None,
        "batches": _batches(standing),
        "troubles": [
            trouble_as_data(each)
            for each in standing.troubles
            if visitor.folders is None or (each.thing.job is not None and each.thing.job in told)
        ],
    }


async def job(place: Place, visitor: Visitor, number: int, *, after: int) -> Data | None:
    """Read one job: how far it is, why requests are not complete, its batches, files and a page of its requests."""
    settings, around = place.settings, await surroundings(place)
    async with place.opened() as store:
        found = await store.browsing.job(visitor.folders, number)
        if found is None:
            return None
        parked = await _parked(store, around)
        standing, progress = await store.overview.read_job(found), await store.progress.read(found.id)
        requests = await store.browsing.requests(found.id, after=after, most=PAGE + 1)
        reserved = await store.browsing.reserved([found.id])
        waits = await waits_in(store, settings, standing, place.clock.now())
    more, requests = len(requests) > PAGE, requests[:PAGE]
    (mine,) = standing.jobs
    far = await to_thread.run_sync(Far.measured, found, progress, settings.state / "drafts", place.clock.now())
    beside = await to_thread.run_sync(files.of_job, settings.outbox, found.name, settings.page.content)
    told = _job(mine, standing, reserved.get(found.id, 0), waits.get(found.id))
    return {
        **around,
        **told,
        **far.as_data(),
        "parked": parked,
        "paused": _paused(standing, visitor),
        "wait": _wait(mine, standing, told),
        "tokens": {"input": mine.tally.usage.input_tokens, "output": mine.tally.usage.output_tokens},
        "travels": [batch_as_data(batch, [found.name]) for batch in standing.batches],
        "files": [{"name": each.name, "bytes": each.size} for each in beside],
        "page": [_request(each) for each in requests],
        "more_after": requests[-1].id if more and requests else None,
        "after": after or None,
    }


async def batches(place: Place, visitor: Visitor) -> Data:
    """Read the newest batches, the newest first."""
    around = await surroundings(place)
    async with place.opened() as store:
        found = await store.browsing.batches(visitor.folders, most=TIMELINE)
        sandbox, parked = await store.facts.of_sandbox(), await _parked(store, around)
    return {
        **rehearsal(sandbox=sandbox),
        **around,
        "parked": parked,
        "batches": [_batch(each) for each in found],
    }


async def costs(place: Place, visitor: Visitor, *, by: str, days: int) -> Data:
    """Read what was spent: by day for the plot, and by what is asked for."""
    now = place.clock.now()
    since = now - now % _DAY - (days - 1) * _DAY
    async with place.opened() as store:
        daily = await store.spending.by("day", since=since, folders=visitor.folders)
        spent = daily if by == "day" else await store.spending.by(by, since=since, folders=visitor.folders)
        sandbox = await store.facts.of_sandbox()
    return {
        **rehearsal(sandbox=sandbox),
        **await surroundings(place),
        "by": by,
        "days": days,
        "spent": [spent_as_data(each, by) for each in spent],
        "daily": [spent_as_data(each, "day") for each in daily],
    }


async def of_ticket(place: Place, visitor: Visitor, ticket: str) -> Job | None:
    """Find the job of what was dropped under a ticket; None while nobody has accepted it."""
    try:
        async with place.opened() as store:
            return await store.browsing.of_ticket(visitor.folders, ticket)
    except NothingYet:
        return None


async def file_of(place: Place, visitor: Visitor, number: int, name: str) -> int | None:
    """Open a file of a job by what the row knows of it.

    Returns:
        A descriptor, the caller's to close; None where there is no such file, or it is not shown.
    """
    content = place.settings.page.content
    async with place.opened() as store:
        found = await store.browsing.job(visitor.folders, number)
        if found is None or content == files.NONE:
            return None
        document = await store.browsing.has_document(found.id, name)
    if not files.may_be_had(name, content, is_document=document):
        return None
    return await to_thread.run_sync(files.open_file, place.settings.outbox, found.name, name)


async def job_of(place: Place, visitor: Visitor, number: int) -> Job | None:
    """Find a job that may be seen."""
    async with place.opened() as store:
        return await store.browsing.job(visitor.folders, number)


async def may_decide(place: Place, visitor: Visitor, batch: int) -> bool:
    """Whether all jobs of a batch may be seen."""
    async with place.opened() as store:
        try:
            await store.batches.get(BatchId(batch))
        except LookupError:
            return False
        names = await store.trips.jobs_in(BatchId(batch))
        for name in names:
            found = await store.jobs.named(name)
            if found is None or not visitor.sees(found.name):
                return False
    return True


def _job(standing: JobStanding, all_: Standing, reserved: int, waits_for: str | None) -> Data:
    open_ = {batch.id: batch for batch in all_.batches}
    last = [open_[batch].expires_at for batch in standing.batches if batch in open_]
    by = max((each for each in last if each is not None), default=None)
    return {
        **job_as_data(standing, all_, waits_for),
        "rejected": standing.job.rejected,
        "reserved_usd": float(from_picodollars(reserved)),
        "expected_by": None if by is None else timestamp(by),
    }


def _wait(standing: JobStanding, all_: Standing, told: Data) -> Data | None:
    """Say why a job waits for a person, and with which commands it goes on; None where it does not."""
    job = standing.job
    held = [batch for batch in all_.batches if batch.id in standing.batches and answers(batch)]
    kept = [each for each in all_.troubles if each.defect and each.thing.job == job.id]
    if job.hold is not None:
        other = f"batchd release {job.name} --up-to USD" if job.twin is None else f"batchd cancel {job.name}"
        reason, commands = job.hold, [f"batchd release {job.name}", other]
    elif held:
        reason, commands = held[0].trouble or "only a person can decide", answers(held[0])
    elif kept:
        reason, commands = f"{kept[0].thing.work.undone}: {kept[0].reason}", []
    else:
        return None
    return {
        "id": job.id,
        "job": job.name,
        **rehearsal(sandbox=job.sandbox),
        "state": told["state"],
        "reason": reason,
        "until": told["held_until"],
        "batch": held[0].id if held and job.hold is None else None,
        "known": bool(held and held[0].remote_id),
        "answers": commands,
    }


def _paused(standing: Standing, visitor: Visitor) -> list[Data]:
    return [pause_as_data(each) for each in standing.paused if not each.folder or visitor.sees(f"{each.folder}/")]


def _batches(standing: Standing) -> list[Data]:
    names = {
        batch.id: [each.job.name for each in standing.jobs if batch.id in each.batches] for batch in standing.batches
    }
    return [batch_as_data(batch, names[batch.id]) for batch in standing.batches if names[batch.id]]


def _batch(carried: Carried) -> Data:
    told = batch_as_data(carried.batch, [name for _, name in carried.jobs])
    return {**told, "ids": [job for job, _ in carried.jobs]}


def _request(listed: Listed) -> Data:
    return {
        "id": listed.id,
        "number": listed.number,
        "custom_id": listed.custom_id,
        "model": listed.model,
        "verdict": listed.verdict,
        "travelling": listed.travelling,
        "reason": listed.reason or None,
        "stop_reason": listed.stop_reason,
        "parts": listed.parts,
        "document": listed.document,
        "output_tokens": listed.output_tokens,
        "cost_usd": None if listed.cost is None else float(from_picodollars(listed.cost)),
    }


def _surroundings(settings: Settings) -> Data:
    try:
        running: bool | None = daemon_runs(settings.state)
    except Unusable:
        running = None
    seen = inbox.look(settings.inbox) if settings.inbox.is_dir() else inbox.Seen([], {}, {})
    return {
        "daemon": {"running": running, "pid": _process(settings) if running else None},
        "inbox": {"path": str(settings.inbox), "waiting": len(seen.candidates)},
        "disk_low": _low([settings.state, settings.outbox]),
    }


def _process(settings: Settings) -> int | None:
    try:
        said = (settings.state / "lock").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(said) if said.isdecimal() else None


def _low(folders: Sequence[os.PathLike[str]]) -> int | None:
    """Bytes that are free where it is least, if that is little."""
    free = []
    for folder in folders:
        try:
            free.append(shutil.disk_usage(folder).free)
        except OSError:
            continue
    return min(free) if free and min(free) < _LOW else None


def _rejected(settings: Settings, visitor: Visitor) -> Data:
    count, newest = files.rejected(settings.outbox)
    seen = [each for each in newest if visitor.sees(each.file)]
    quotes = settings.page.content == files.ALL
    return {
        "outbox": {"path": str(settings.outbox), "rejected": count if visitor.folders is None else len(seen)},
        "refusals": [
            {
                "file": each.file,
                "at": timestamp(each.at),
                "count": each.count,
                "errors": [
                    {
                        "line": line,
                        "field": field,
                        "message": message if quotes else own_words(message) or "see its errors.json",
                    }
                    for line, field, message in each.errors
                ],
            }
            for each in seen
        ],
    }

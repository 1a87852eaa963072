"""How everything stands, as `batchd status` tells it: read from the database, told as data and as tables."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from anyio import to_thread
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from batchd.claude.price import dollars, from_picodollars
from batchd.cli.console import cell, duration, moment, usd
from batchd.decisions.report import rehearsal, state_of, timestamp
from batchd.delivery import Tally
from batchd.edges.store import JobStanding, Shared, Standing, look_into_store
from batchd.lifecycle import State
from batchd.model import Batch, BatchId, Job, Verdict
from batchd.running.held_file import answers
from batchd.trouble import Trouble, Work

_AMOUNT = re.compile(r"\$\d(?:[\d,.]*\d)?")
_BAR = 10
_NAMES = 3
"""Jobs that are named where a batch is shared; more are only mentioned."""
_STYLES = {
    "done": "green",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "held": "bold red",
    "parked": "bold red",
    "travelling": "cyan",
}


async def read_standing(database: Path, *, finished: int) -> Standing:
    """Read how everything stands, whether or not a daemon runs.

    Args:
        database: The file; where there is none, there is nothing yet.
        finished: How many finished jobs.

    Raises:
        Unusable: It cannot be read.
    """
    if not await to_thread.run_sync(database.exists):
        return Standing((), ())
    async with look_into_store(database) as store:
        return await store.overview.read(finished=finished)


def state(standing: JobStanding, all_: Standing) -> str:
    """Say in a word how a job stands.

    Args:
        standing: The job.
        all_: With every unfinished batch, at least, and what keeps single things.
    """
    job, tally = standing.job, standing.tally
    if job.delivered and not job.retry_wanted:
        return state_of(job, tally)
    if _parked(job, all_):
        return "parked"
    if job.delivered:
        return "to be retried"
    held = {batch.id for batch in all_.batches if batch.state is State.HELD}
    if job.hold is not None or held.intersection(standing.batches):
        return "held"
    return _under_way(job, tally)


def _under_way(job: Job, tally: Tally) -> str:
    if job.cancel_wanted:
        return "cancelling"
    if tally.travelling:
        return "travelling"
    return "waiting" if tally.waiting else "finishing"


def _parked(job: Job, all_: Standing) -> bool:
    """Whether a defect keeps the job from going on."""
    return any(
        trouble.defect and trouble.thing.job == job.id and trouble.thing.work is not Work.NOTE
        for trouble in all_.troubles
    )


def next_poll(standing: JobStanding, batches: Mapping[BatchId, Batch]) -> float | None:
    """Say when the API is asked next about a job's batches; None where no poll is due.

    Args:
        standing: The job.
        batches: Every unfinished batch, at least.
    """
    polled = (batches[batch] for batch in standing.batches if batch in batches)
    due = (batch.next_poll_at for batch in polled if batch.state is State.PROCESSING)
    return min((each for each in due if each is not None), default=None)


def tables(standing: Standing, now: float) -> RenderableType:
    """Show how everything stands: a line a job, and one for each batch in trouble.

    Args:
        standing: How it stands.
        now: Unix seconds.
    """
    batches = {batch.id: batch for batch in standing.batches}
    shown = _table()
    shown.add_column("JOB", overflow="fold")
    for column in ("STATE", ""):
        shown.add_column(column, no_wrap=True)
    for column in ("COMPLETE", "FAILED", "TOTAL", "BATCHES", "POLL", "COST"):
        shown.add_column(column, justify="right", no_wrap=True)
    for each in standing.jobs:
        job, tally, word = each.job, each.tally, state(each, standing)
        complete = tally.verdicts.get(Verdict.COMPLETE, 0)
        poll = next_poll(each, batches)
        shown.add_row(
            cell(job.name, "bold"),
            cell(word, _STYLES.get(word, "")),
            ProgressBar(job.total, tally.settled, _BAR, complete_style="cyan", finished_style="green"),
            f"{complete:,}",
            f"{tally.settled - complete:,}",
            f"{job.total:,}",
            f"{len(each.batches):,}",
            "" if poll is None else f"in {duration(poll - now)}",
            usd(tally.cost.charged, sandbox=job.sandbox) if tally.settled else "",
        )
    holds = [line for each in standing.jobs for line in _hold(each.job)]
    holds += [cell(f"job {each.job.name}: {sharing(batch)}", "dim") for each in standing.jobs for batch in each.shared]
    troubles = [line for batch in standing.batches for line in trouble(batch)]
    return Group(shown, *holds, *troubles, *(of_thing(each) for each in standing.troubles))


_CALLED = {Work.TAKE: "file", Work.ENTER: "folder", Work.COUNT: "", Work.LOOK: "", Work.CARRY: ""}


def of_thing(kept: Trouble) -> RenderableType:
    """Say what keeps one file, folder or job from being done, and since when."""
    thing = kept.thing
    called = f"{_CALLED.get(thing.work, 'job')} {thing.name}".strip()
    style = "bold red" if kept.defect else "yellow"
    return cell(f"! {called}: {thing.work.undone} since {moment(kept.since)}: {kept.reason}", style)


def sharing(shared: Shared) -> str:
    """Say why a batch is not stopped for one job."""
    others = ", ".join(shared.others[:_NAMES]) + (" and others" if len(shared.others) > _NAMES else "")
    return f"Batch {shared.batch} is shared with {others}: it goes on, and is charged"


def marked(text: str, job: Job) -> str:
    """A text in which each amount of a rehearsal says that it is one."""
    return _AMOUNT.sub(r"\g<0> (sandbox)", text) if job.sandbox else text


def _hold(job: Job) -> list[RenderableType]:
    """Say why a whole job waits for a person, and with which command it goes on."""
    if job.hold is None:
        if job.released_up_to is None or job.delivered:
            return []
        return [cell(marked(f"job {job.name} was released up to {dollars(job.released_up_to)}", job), "dim")]
    by_itself = "" if job.hold_until is None else f"; it is tried again at {moment(job.hold_until)}"
    return [
        cell(f"! job {job.name}: {marked(job.hold, job)}{by_itself}", "bold red"),
        cell(f"    batchd release {job.name} [--up-to USD]"),
    ]


def trouble(batch: Batch) -> list[RenderableType]:
    """Say what keeps a batch from going on, and what to do about it; nothing where all is well.

    Args:
        batch: Any.
    """
    if batch.trouble is None or batch.state in {State.SETTLED, State.DISSOLVED}:
        return []
    style = "bold red" if batch.state is State.HELD else "yellow"
    named = f"batch {batch.id} ({batch.remote_id or 'no id yet'}, {batch.count:,} requests, {batch.state})"
    choice = answers(batch)
    return [cell(f"! {named}: {batch.trouble}", style), *(cell(f"    {line}") for line in choice)]


def batch_table(standing: Standing, now: float) -> RenderableType:
    """Show each batch on a line of its own.

    Args:
        standing: With the batches.
        now: Unix seconds.
    """
    shown = _table()
    for column in ("BATCH", "STATE", "LANE", "AT THE API", "SUBMITTED", "NEXT POLL"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("REQUESTS", justify="right", no_wrap=True)
    for batch in standing.batches:
        poll = batch.next_poll_at if batch.state is State.PROCESSING else None
        shown.add_row(
            str(batch.id),
            str(batch.state),
            str(batch.lane),
            batch.remote_id or "",
            moment(batch.submitted_at),
            "" if poll is None else f"in {duration(poll - now)}",
            f"{batch.count:,}",
        )
    return shown


def job_as_data(standing: JobStanding, all_: Standing) -> dict[str, object]:
    """Tell of a job in the words of `batchd status --json`; documented in docs/formats.md.

    Args:
        standing: The job.
        all_: With every unfinished batch, at least, and what keeps single things.
    """
    job, tally = standing.job, standing.tally
    batches = {batch.id: batch for batch in all_.batches}
    poll = next_poll(standing, batches)
    return {
        "job": job.name,
        **rehearsal(sandbox=job.sandbox),
        "state": state(standing, all_),
        "source": job.source,
        "received_at": timestamp(job.received_at),
        "finished_at": None if job.finished_at is None else timestamp(job.finished_at),
        "requests": {
            "total": job.total,
            "waiting": tally.waiting,
            "travelling": tally.travelling,
            "complete": tally.verdicts.get(Verdict.COMPLETE, 0),
            "incomplete": sum(count for verdict, count in tally.verdicts.items() if verdict.incomplete),
            "errored": tally.verdicts.get(Verdict.ERRORED, 0),
            "expired": tally.verdicts.get(Verdict.EXPIRED, 0),
            "canceled": tally.verdicts.get(Verdict.CANCELED, 0),
        },
        "batches": list(standing.batches),
        "next_poll_at": None if poll is None else timestamp(poll),
        "cost_usd": _number(tally.cost.charged),
        "standard_cost_usd": _number(tally.cost.standard),
        "hold": job.hold,
        "held_until": None if job.hold_until is None else timestamp(job.hold_until),
        "released": job.released,
        "released_up_to_usd": None if job.released_up_to is None else float(from_picodollars(job.released_up_to)),
        "cancel_wanted": job.cancel_wanted,
        "shared_batches": [
            {"batch": each.batch, "requests": each.requests, "jobs": list(each.others)} for each in standing.shared
        ],
        "retry_wanted": job.retry_wanted,
        "troubles": [trouble_as_data(each) for each in all_.troubles if each.thing.job == job.id],
    }


def trouble_as_data(kept: Trouble) -> dict[str, object]:
    """Tell what keeps one thing, in the words of `batchd status --json`."""
    thing = kept.thing
    return {
        "what": thing.work.undone,
        "of": thing.name,
        "since": timestamp(kept.since),
        "reason": kept.reason,
        "defect": kept.defect,
    }


def batch_as_data(batch: Batch, jobs: list[str]) -> dict[str, object]:
    """Tell of a batch in the words of `batchd status --json`.

    Args:
        batch: Any.
        jobs: The names of the shown jobs that travel in it.
    """

    def told(unix: float | None) -> str | None:
        return None if unix is None else timestamp(unix)

    return {
        "batch": batch.id,
        "state": batch.state,
        "lane": batch.lane,
        "remote_id": batch.remote_id,
        "evidence": batch.evidence,
        "requests": batch.count,
        "betas": batch.betas,
        "jobs": jobs,
        "planned_at": told(batch.planned_at),
        "submitted_at": told(batch.submitted_at),
        "expires_at": told(batch.expires_at),
        "ended_at": told(batch.ended_at),
        "next_poll_at": told(batch.next_poll_at) if batch.state is State.PROCESSING else None,
        "trouble": batch.trouble,
        "answers": answers(batch),
    }


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)

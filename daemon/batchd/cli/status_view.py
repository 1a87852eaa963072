"""How everything stands, as `batchd status` tells it: read from the database, told as data and as tables."""

import re
from collections.abc import Iterable, Sequence

from anyio import to_thread
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from batchd.claude.price import dollars
from batchd.cli.console import cell, duration, is_narrow, moment, usd
from batchd.edges.store import AtWork, JobStanding, Pause, Place, Standing, is_there, look_into_store
from batchd.lifecycle import State
from batchd.model import Batch, Job, StepBar, Verdict
from batchd.settings import Fleet
from batchd.standing.batches import answers
from batchd.standing.jobs import marked, next_poll, sharing, state
from batchd.trouble import Trouble, Work

_AMOUNT = re.compile(r"\$\d(?:[\d,.]*\d)?")
_BAR = 10
_NAMES = 3
"""Jobs that are named where a batch is shared; more are only mentioned."""
_HELD = 5
"""Batches of a worker that are named; `--json` has all."""
_STYLES = {
    "done": "green",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "held": "bold red",
    "parked": "bold red",
    "travelling": "cyan",
}


async def read_standing(database: Place, *, finished: int) -> Standing:
    """Read how everything stands, whether or not a daemon runs.

    Args:
        database: Where it is; where there is none, there is nothing yet.
        finished: How many finished jobs.

    Raises:
        Unusable: It cannot be read.
    """
    if not await to_thread.run_sync(is_there, database):
        return Standing((), ())
    async with look_into_store(database) as store:
        return await store.overview.read(finished=finished)


def tables(standing: Standing, now: float) -> RenderableType:
    """Show how everything stands: a line a job, and one for each batch in trouble.

    Args:
        standing: How it stands.
        now: Unix seconds.
    """
    holds = [line for each in standing.jobs for line in _hold(each.job)]
    holds += [cell(f"job {each.job.name}: {sharing(batch)}", "dim") for each in standing.jobs for batch in each.shared]
    troubles = [line for batch in standing.batches for line in trouble(batch)]
    things = [of_thing(each) for each in standing.troubles]
    return Group(_jobs(standing, now), *holds, *troubles, *things, *(_untold(*each) for each in standing.untold))


def _jobs(standing: Standing, now: float) -> RenderableType:
    batches = {batch.id: batch for batch in standing.batches}
    shown, narrow = _table(), is_narrow()
    shown.add_column("JOB", overflow="fold")
    for column in ("STATE",) if narrow else ("STATE", ""):
        shown.add_column(column, no_wrap=True)
    for column in ("COMPLETE", "FAILED", "TOTAL", *(() if narrow else ("BATCHES",)), "POLL", "COST"):
        shown.add_column(column, justify="right", no_wrap=True)
    for each in standing.jobs:
        shown.add_row(*_cells(each, state(each, standing), next_poll(each, batches), now, narrow=narrow))
    return shown


def _cells(each: JobStanding, word: str, poll: float | None, now: float, *, narrow: bool) -> Iterable[RenderableType]:
    """What the line of a job says, column by column."""
    job, tally = each.job, each.tally
    complete = tally.verdicts.get(Verdict.COMPLETE, 0)
    # Of a job that has ended the bar shows what is complete: a failed one does not look finished.
    far = complete if job.delivered else tally.settled
    bar = ProgressBar(job.total, far, _BAR, complete_style="cyan", finished_style="green")
    return (
        cell(job.name, "bold"),
        cell(word, _STYLES.get(word, "")),
        *(() if narrow else (bar,)),
        f"{complete:,}",
        f"{tally.settled - complete:,}",
        f"{job.total:,}",
        *(() if narrow else (f"{len(each.batches):,}",)),
        "" if poll is None else f"in {duration(poll - now)}",
        usd(tally.cost.charged, sandbox=job.sandbox) if tally.settled else "",
    )


_CALLED = {Work.TAKE: "file", Work.ENTER: "folder", Work.COUNT: "", Work.LOOK: "", Work.CARRY: ""}


def of_thing(kept: Trouble) -> RenderableType:
    """Say what keeps one file, folder or job from being done, and since when."""
    thing = kept.thing
    called = f"{_CALLED.get(thing.work, 'job')} {thing.name}".strip()
    style = "bold red" if kept.defect else "yellow"
    return cell(f"! {called}: {thing.work.undone} since {moment(kept.since)}: {kept.reason}", style)


def _untold(sink: str, waiting: int, since: float, reason: str) -> RenderableType:
    notices = "1 notice waits" if waiting == 1 else f"{waiting:,} notices wait"
    return cell(f"! sink {sink}: {notices} since {moment(since)}: {reason}", "yellow")


def _answers(job: Job) -> list[str]:
    """The commands with which a held job goes on."""
    if job.step_bar is StepBar.ANSWERS:
        return [f"batchd retry {job.name}", f"batchd release {job.name}"]
    if job.twin is not None:
        return [f"batchd release {job.name}", f"batchd cancel {job.name}"]
    if job.step_bar in {StepBar.PROMPTS, StepBar.RESTORED}:
        return [f"batchd release {job.name}", f"batchd cancel {job.name}"]
    return [f"batchd release {job.name} [--up-to USD]"]


def paused(pause: Pause) -> RenderableType:
    """Say what is not sent, since when, by whom and why."""
    what = "everything" if pause.folder is None else f"folder {pause.folder}"
    until = "" if pause.until is None else f" until {moment(pause.until)}"
    why = f": {pause.reason}" if pause.reason else ""
    again = "batchd resume" if pause.folder is None else f"batchd resume --folder {pause.folder}"
    return cell(f"! {what} is paused since {moment(pause.since)}{until} by {pause.by}{why} ({again})", "bold yellow")


def _hold(job: Job) -> list[RenderableType]:
    """Say why a whole job waits for a person, and with which command it goes on."""
    if job.hold is None:
        if job.released_up_to is None or job.delivered:
            return []
        return [cell(marked(f"job {job.name} was released up to {dollars(job.released_up_to)}", job), "dim")]
    by_itself = "" if job.hold_until is None else f"; it is tried again at {moment(job.hold_until)}"
    return [
        cell(f"! job {job.name}: {marked(job.hold, job)}{by_itself}", "bold red"),
        *(cell(f"    {line}") for line in _answers(job)),
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
    shown, narrow = _table(), is_narrow()
    for column in ("BATCH", "STATE", *(() if narrow else ("LANE",))):
        shown.add_column(column, no_wrap=True)
    shown.add_column("AT THE API", overflow="fold")
    for column in ("SUBMITTED", "NEXT POLL"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("REQUESTS", justify="right", no_wrap=True)
    for batch in standing.batches:
        poll = batch.next_poll_at if batch.state is State.PROCESSING else None
        shown.add_row(
            str(batch.id),
            str(batch.state),
            *(() if narrow else (str(batch.lane),)),
            batch.remote_id or "",
            moment(batch.submitted_at),
            "" if poll is None else f"in {duration(poll - now)}",
            f"{batch.count:,}",
        )
    return shown


def worker_table(workers: Sequence[AtWork], fleet: Fleet, now: float) -> RenderableType:
    """Show who works on the database, when each was last heard, and which batches it has in hand.

    Args:
        workers: Those that are known.
        fleet: How many there should be, and when one is given up.
        now: Unix seconds.
    """
    missing = fleet.workers - len(workers)
    told = [] if missing <= 0 else [cell(f"{len(workers)} of {fleet.workers} workers are there", "yellow")]
    if not workers:
        return Group(*told)
    shown = _table()
    shown.add_column("WORKER", overflow="fold")
    shown.add_column("SINCE", no_wrap=True)
    shown.add_column("HEARD", no_wrap=True)
    shown.add_column("HOLDS", justify="right", no_wrap=True)
    shown.add_column("BATCHES", overflow="fold")
    for each in workers:
        worker, silent = each.worker, now - each.worker.heard_at
        more = "" if len(each.batches) <= _HELD else ", …"
        shown.add_row(
            cell(f"{worker.name} (sweeps)" if worker.sweeps else worker.name),
            moment(worker.began_at),
            cell(f"{duration(silent)} ago{'!' if silent > fleet.stalled else ''}", _heard(silent, fleet)),
            f"{len(each.batches):,}",
            ", ".join(map(str, each.batches[:_HELD])) + more,
        )
    return Group(*told, shown)


def _heard(silent: float, fleet: Fleet) -> str:
    return "bold red" if silent > fleet.stalled else ""


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")

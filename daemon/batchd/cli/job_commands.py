"""`batchd cancel`, `retry` and `release`: what a person wants of a job is written down, and the daemon acts on it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, TypeAlias

import anyio
import typer

from batchd.claude.price import dollars, to_picodollars
from batchd.cli.console import cell, out, printable
from batchd.cli.exit_codes import DONE, Failure
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.cli.status import job_named
from batchd.cli.status_view import marked, sharing
from batchd.edges.clock import Clock
from batchd.edges.lock import daemon_runs
from batchd.edges.store import Store, write_to_store
from batchd.errors import Unusable
from batchd.model import Batch, Job
from batchd.running.held_file import answers
from batchd.settings import Settings

_MOST = 1_000_000
"""USD, as for every budget."""

JobName: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="Its name, as `batchd status` shows it.")]


@takes_settings
def cancel(chosen: Chosen, *, job: JobName) -> int:
    """Cancel a job: nothing more is sent, and its batches are stopped.

    What the API has finished by then is charged, and delivered. A batch that
    other jobs travel in too goes on to its end, and is charged whole: the
    answer says which, and so does `batchd status`. The job finishes as usual,
    with `job.json` in its folder.

    [bold]Example[/bold]
      batchd cancel nightly/orders

    [bold]Exit codes[/bold] 0 done; 1 it has finished already; 2 there is no
    such job.
    """
    return _wish(chosen.settings(), job, _cancel)


@takes_settings
def retry(chosen: Chosen, *, job: JobName) -> int:
    """Send the failed requests of a finished job again.

    Those are the errored, the expired and the canceled ones, but for what was
    given up with `resolve --drop`: that may have been charged. Answers that
    were paid for and are incomplete are not sent again as they are: change
    what is in `failures.jsonl`, and drop it into the inbox. Until the job has finished again its `job.json` is gone.

    [bold]Example[/bold]
      batchd retry nightly/orders

    [bold]Exit codes[/bold] 0 done; 1 it has not finished, or has nothing to
    send again; 2 there is no such job.
    """
    return _wish(chosen.settings(), job, _retry)


@takes_settings
def release(
    chosen: Chosen,
    *,
    job: JobName,
    up_to: Annotated[
        float | None,
        typer.Option("--up-to", metavar="USD", help="What it may cost in all; without it, whatever it costs."),
    ] = None,
) -> int:
    """Let a held job go on: past its budget, or to ask after its batches again.

    A batch of which nobody knows whether the API has it needs more of an
    answer: see `batchd resolve --help`.

    With `--up-to` it goes on until it has cost that sum in all, what it has
    spent so far included; then it is held again. No other budget counts for
    it, neither its own nor that of the day.

    [bold]Examples[/bold]
      batchd release nightly/orders --up-to 5
      batchd release nightly/orders

    [bold]Exit codes[/bold] 0 done; 1 it is not held, has cost that much
    already, or needs `batchd resolve`; 2 there is no such job.
    """
    if up_to is not None and not 0 < up_to <= _MOST:
        raise Unusable(f"--up-to {up_to:g}: an amount in USD above 0, and {_MOST:,} at the most")
    sum_ = None if up_to is None else to_picodollars(Decimal(str(up_to)))
    return _wish(chosen.settings(), job, partial(_release, up_to=sum_))


def write_down(settings: Settings, write: Callable[[Store], Awaitable[str]]) -> int:
    """Write to the database, whether or not a daemon runs, and say what was written and when it will be done.

    Args:
        settings: All of them.
        write: Does it, and says it.

    Raises:
        Unusable: There is no database yet.
    """
    database = installed(settings.state)

    async def open_and_write() -> str:
        async with write_to_store(database) as store:
            return await write(store)

    out().print(cell(anyio.run(open_and_write)))
    running = daemon_runs(settings.state)
    out().print(
        "The daemon takes it up within a second." if running else "It is taken up when `batchd run` is started."
    )
    return DONE


def _wish(settings: Settings, name: str, write: Callable[[Store, Job], Awaitable[str]]) -> int:
    async def find_and_write(store: Store) -> str:
        return await write(store, await job_named(store, name))

    return write_down(settings, find_and_write)


async def _cancel(store: Store, job: Job) -> str:
    if job.delivered and not job.retry_wanted:
        raise Failure(f"job {printable(job.name)} has finished: there is nothing to cancel")
    if job.cancel_wanted:
        return f"Job {job.name} is being cancelled already."
    await store.jobs.want(job.id, "cancel")
    tally, shared = await store.jobs.tally(job.id), await store.overview.shared(job.id)
    charged = sum(each.requests for each in shared)
    told = [
        (
            f"Job {job.name} is cancelled: {tally.settled:,} of {job.total:,} requests have ended, "
            f"{tally.waiting:,} will not be sent."
        )
    ]
    if alone := tally.travelling - charged:
        told.append(
            f"{alone:,} are on their way and stopped if the API still can; what it has answered by then is charged."
        )
    told += [f"{sharing(each)}, with {each.requests:,} of its requests." for each in shared]
    return " ".join(told)


async def _retry(store: Store, job: Job) -> str:
    if not job.delivered:
        raise Failure(f"job {printable(job.name)} has not finished yet: see `batchd status`")
    if job.sandbox and not await store.facts.of_sandbox():
        raise Failure(
            f"job {printable(job.name)} was a rehearsal: drop its request into the inbox again to have it answered"
        )
    again = await store.jobs.failed_ids(job.id)
    if not again:
        raise Failure(
            f"job {printable(job.name)} has nothing to send again: no request errored, expired or was canceled"
        )
    await store.jobs.want(job.id, "retry")
    return f"{len(again):,} of {job.total:,} requests of job {job.name} are sent again."


async def _release(store: Store, job: Job, *, up_to: int | None) -> str:
    held = [batch for batch in await store.batches.held() if job.name in await store.trips.jobs_in(batch.id)]
    if job.hold is not None or (up_to is not None and job.released and not job.delivered):
        return "\n".join(
            [await _release_money(store, job, up_to), *(line for batch in held for line in answers(batch))]
        )
    if up_to is not None:
        raise Failure(f"job {printable(job.name)} does not wait for money: see `batchd status`")
    if not held:
        raise Failure(f"job {printable(job.name)} is not held: see `batchd status`")
    return await _ask_again(store, job, held)


async def _release_money(store: Store, job: Job, up_to: int | None) -> str:
    """Let a job spend, and say how much."""
    said = f"Job {job.name} goes on, whatever it costs."
    if up_to is not None:
        committed = await store.spending.committed(job.id)
        so_far = marked(f"{dollars(committed)} of it are spent or reserved", job)
        if up_to <= committed:
            raise Failure(f"job {printable(job.name)} needs a larger sum: {so_far} already")
        said = f"Job {job.name} goes on {marked(f'up to {dollars(up_to)}', job)}: {so_far}."
    await store.spending.release(job.id, up_to)
    return said


async def _ask_again(store: Store, job: Job, held: list[Batch]) -> str:
    """Have the API asked after each held batch that it is known to have; of the others only a person can find out."""
    undecided = [line for batch in held if batch.remote_id is None for line in answers(batch)]
    known = [batch for batch in held if batch.remote_id is not None]
    if not known:
        raise Failure("\n".join(["only you can find out whether the API has it; then choose:", *undecided]))
    for batch in known:
        await store.resolutions.ask_again(batch, now=Clock().now())
    named = ", ".join(str(batch.remote_id) for batch in known)
    return "\n".join([f"Job {job.name} goes on: the API is asked again after {named}.", *undecided])

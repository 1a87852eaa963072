"""`batchd cancel`, `retry` and `release`: what a person wants of a job is written down, and the daemon acts on it."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import anyio
import typer
from anyio import to_thread

from batchd.claude.price import dollars, from_picodollars, to_picodollars
from batchd.cli.console import cell, data, err, out, printable
from batchd.cli.exit_codes import DONE, Failure
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.cli.status import job_named
from batchd.edges.clock import Clock
from batchd.edges.lock import daemon_runs
from batchd.edges.store import Store, write_to_store
from batchd.edges.store.retries import Again
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.model import Batch, Job, StepBar, Verdict
from batchd.settings import Settings
from batchd.standing.batches import answers
from batchd.standing.jobs import marked, sharing

_MOST = 1_000_000
"""USD, as for every budget."""
_DECIDING = 3.0
"""Seconds within which a daemon has decided anew whether a job is held."""

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JobName: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="Its name, as `batchd status` shows it.")]


@takes_settings
def cancel(chosen: Chosen, *, job: JobName, as_json: AsJson = False) -> int:
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
    return _wish(chosen.settings(), job, _cancel, as_json=as_json)


@takes_settings
def retry(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    job: JobName,
    also: Annotated[
        str | None,
        typer.Option(metavar="VERDICT,…", help="Also what was paid for: short, truncated, refused, paused."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this request; may be repeated.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Send the failed requests of a finished job again.

    Those are the errored, the expired and the canceled ones, but for what was
    given up with `resolve --drop`: that may have been charged. Until the job
    has finished again its `job.json` is gone.

    A job whose next step waits for answers that are not complete is not
    finished, and sends all of those again.

    With --also, answers that were paid for and are incomplete are asked for
    anew, and paid for again: what that may cost is told, and asked about. The
    old ones go to `superseded.jsonl`, and stay in the job's cost. To ask
    something else, change `failures.jsonl` and drop it into the inbox.

    [bold]Examples[/bold]
      batchd retry nightly/orders
      batchd retry nightly/orders --also short,truncated --yes

    [bold]Exit codes[/bold] 0 done; 1 it has not finished, has nothing to send
    again, or the answer was no; 2 there is no such job or request.
    """
    settings = chosen.settings()
    verdicts = _verdicts(also)
    retrying = partial(_retry, also=verdicts, only=only, spool=settings.state / "spool", sure=yes, as_json=as_json)
    return _wish(settings, job, retrying, as_json=as_json)


@takes_settings
def release(
    chosen: Chosen,
    *,
    job: JobName,
    up_to: Annotated[
        float | None,
        typer.Option("--up-to", metavar="USD", help="What it may cost in all; without it, whatever it costs."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Let a held job go on: past its budget, or to ask after its batches again.

    A job whose next step waits for answers that are not complete goes on
    without them, and ends as partial.

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
    return _wish(chosen.settings(), job, partial(_release, up_to=sum_), as_json=as_json)


class Answer(NamedTuple):
    """What was written down, for a person and for a program."""

    text: str
    told: Mapping[str, object]


def write_down(settings: Settings, write: Callable[[Store], Awaitable[Answer]], *, as_json: bool = False) -> int:
    """Write to the database, whether or not a daemon runs, and say what was written and when it will be done.

    Args:
        settings: All of them.
        write: Does it, and says it.
        as_json: Whether a program asks.

    Raises:
        Unusable: There is no database yet.
    """
    database = installed(settings)

    async def open_and_write() -> Answer:
        async with write_to_store(database) as store:
            return await write(store)

    answer = anyio.run(open_and_write)
    running = daemon_runs(settings.state)
    if as_json:
        out().print(data({**answer.told, "daemon": {"running": running}}), soft_wrap=True)
        return DONE
    out().print(cell(answer.text))
    out().print(
        "The daemon takes it up within a second." if running else "It is taken up when `batchd run` is started."
    )
    return DONE


def _wish(settings: Settings, name: str, write: Callable[[Store, Job], Awaitable[Answer]], *, as_json: bool) -> int:
    async def find_and_write(store: Store) -> Answer:
        return await write(store, await job_named(store, name))

    return write_down(settings, find_and_write, as_json=as_json)


async def _cancel(store: Store, job: Job) -> Answer:
    if job.delivered and not job.retry_wanted:
        raise Failure(f"job {printable(job.name)} has finished: there is nothing to cancel")
    if job.cancel_wanted:
        return Answer(
            f"Job {job.name} is being cancelled already.", {**signed("cancel"), "job": job.name, "cancelled": True}
        )
    await store.jobs.cancel(job.id)
    if job.delivered and not (await store.jobs.get(job.id)).retry_wanted:
        stays = f"Job {job.name} has finished, and stays so: nothing is sent again."
        return Answer(stays, {**signed("cancel"), "job": job.name, "again": 0})
    tally, shared = await store.tallies.of(job.id), await store.overview.shared(job.id)
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
    counted = {"ended": tally.settled, "unsent": tally.waiting, "stopped": alone, "charged": charged}
    return Answer(
        " ".join(told),
        {**signed("cancel"), "job": job.name, "cancelled": True, "requests": {"total": job.total, **counted}},
    )


def _verdicts(also: str | None) -> tuple[Verdict, ...]:
    known = {str(verdict): verdict for verdict in Verdict if verdict.incomplete}
    said = [each.strip() for each in also.split(",")] if also is not None else []
    if wrong := [each for each in said if each not in known]:
        raise Unusable(f"--also {','.join(wrong)}: it takes {', '.join(known)}, separated by commas")
    return tuple(known[each] for each in said)


async def _retry(  # noqa: PLR0913  what is to be sent again, and how that is asked
    store: Store,
    job: Job,
    *,
    also: Sequence[Verdict],
    only: Sequence[str] | None,
    spool: Path,
    sure: bool,
    as_json: bool,
) -> Answer:
    name = printable(job.name)
    if job.step_bar is not None:
        # It waits for just this; what it may cost was reserved, or is held by its budget.
        also, sure = also or [verdict for verdict in Verdict if verdict.incomplete], True
    elif not job.delivered:
        raise Failure(f"job {name} has not finished yet: see `batchd status`")
    if job.pruned:
        raise Failure(f"of job {name} too much was removed for its age (batchd prune): drop its request again")
    if job.sandbox and not await store.facts.of_sandbox():
        raise Failure(f"job {name} was a rehearsal: drop its request into the inbox again to have it answered")
    again = await store.retries.preview(job.id, also, only)
    if again.unknown:
        raise Unusable(f"job {name} has no request {', '.join(printable(each) for each in again.unknown[:3])}")
    if not again.on + again.anew:
        raise Failure(f"job {name} has nothing to send again: {_none_of(also)}")
    if again.anew:
        if not await to_thread.run_sync((spool / job.claim).exists):
            raise Failure(
                f"what job {name} asked is gone from the state folder: change {job.name}/failures.jsonl in the outbox "
                "as you like, and drop it into the inbox"
            )
        await to_thread.run_sync(partial(_ask, again, sure=sure, as_json=as_json))
    await store.retries.want(job.id, also, only)
    text = f"{again.on + again.anew:,} of {job.total:,} requests of job {job.name} are sent again."
    counted = {"again": again.on, "anew": again.anew, "worst_case_usd": _amount(again.worst)}
    return Answer(text, {**signed("retry"), "job": job.name, **counted})


def _none_of(also: Sequence[Verdict]) -> str:
    if not also:
        return "no request errored, expired or was canceled"
    return f"no request errored, expired, was canceled, or is {' or '.join(also)}"


def _ask(again: Again, *, sure: bool, as_json: bool) -> None:
    """Tell what it may cost to ask anew for what was paid for, and go on only if that is wanted."""
    worst = "an unknown sum" if again.worst is None else f"{dollars(again.worst)} at the most"
    what = f"{again.anew:,} requests that were paid for are sent anew, which costs {worst}"
    if sure:
        return
    if as_json or not sys.stdin.isatty():
        raise Failure(f"{what}: say --yes if that is wanted")
    err().print(f"{what}.")
    if not typer.confirm("Send them?", err=True):
        raise Failure("nothing is sent")


async def _release(store: Store, job: Job, *, up_to: int | None) -> Answer:
    held = [batch for batch in await store.batches.held() if job.name in await store.trips.jobs_in(batch.id)]
    if not held:
        job = await _as_decided(store, job)
    if job.step_bar not in {None, StepBar.MONEY}:
        said = await _release_step(store, job, up_to)
    elif job.twin is not None and up_to is None:
        await store.holds.release_twin(job.id)
        said = f"Job {job.name} is sent: what it holds came as {job.twin} before."
    elif job.hold is not None or (up_to is not None and job.released and not job.delivered):
        said = await _release_money(store, job, up_to)
    elif up_to is not None:
        raise Failure(f"job {printable(job.name)} does not wait for money: see `batchd status`")
    else:
        said = await _release_batches(store, job, held)
        held = [batch for batch in held if batch.remote_id is None]
    undecided = [line for batch in held for line in answers(batch)]
    told = {**signed("release"), "job": job.name, "up_to_usd": _amount(up_to), "undecided": undecided}
    return Answer("\n".join([said, *undecided]), told)


async def _as_decided(store: Store, job: Job) -> Job:
    """A job, once it is decided whether it is held: with each result that comes back, all that are are tried anew."""
    with anyio.move_on_after(_DECIDING):
        while job.hold is None and job.step_bar is None and not job.delivered and not job.released:
            await anyio.sleep(0.1)
            job = await store.jobs.get(job.id)
    return job


async def _release_money(store: Store, job: Job, up_to: int | None) -> str:
    """Let a job go that waits for money."""
    said = f"Job {job.name} goes on, whatever it costs."
    if up_to is not None:
        committed = await store.purses.committed(job.id)
        so_far = marked(f"{dollars(committed)} of it are spent or reserved", job)
        if up_to <= committed:
            raise Failure(f"job {printable(job.name)} needs a larger sum: {so_far} already")
        said = f"Job {job.name} goes on {marked(f'up to {dollars(up_to)}', job)}: {so_far}."
    await store.holds.release(job.id, up_to)
    if job.step_bar is not None:
        await store.steps.release(job.id)
    return said


async def _release_step(store: Store, job: Job, up_to: int | None) -> str:
    """Let a job go on whose next step waits for answers."""
    if up_to is not None:
        raise Failure(f"job {printable(job.name)} does not wait for money: see `batchd status`")
    await store.steps.release(job.id)
    return f"Job {job.name} goes on without what is not complete."


async def _release_batches(store: Store, job: Job, held: Sequence[Batch]) -> str:
    """Have the API asked again after the batches of a job that it is known to have."""
    if not held:
        raise Failure(f"job {printable(job.name)} is not held: see `batchd status`")
    released = [batch for batch in held if batch.remote_id is not None]
    for batch in released:
        await store.resolutions.ask_again(batch, now=Clock().now())
    if not released:
        undecided = [line for batch in held for line in answers(batch)]
        raise Failure("\n".join(["only you can find out whether the API has it; then choose:", *undecided]))
    named = ", ".join(str(batch.remote_id) for batch in released)
    return f"Job {job.name} goes on: the API is asked again after {named}."


def _amount(picodollars: int | None) -> float | None:
    return None if picodollars is None else float(from_picodollars(picodollars))

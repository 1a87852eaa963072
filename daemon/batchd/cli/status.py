"""`batchd status`: what is under way, what it has cost, when the next poll is; whether or not the daemon runs."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import anyio
import typer
from anyio import to_thread
from rich.console import Group, RenderableType

from batchd.cli.console import cell, data, hush_libraries, moment, out, printable
from batchd.cli.exit_codes import DONE
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.cli.status_view import batch_table, of_thing, paused, tables, worker_table
from batchd.decisions.report import rehearsal, timestamp
from batchd.edges import inbox
from batchd.edges.clock import Clock
from batchd.edges.lock import daemon_runs
from batchd.edges.store import AtWork, Standing, Store, is_there, look_into_store
from batchd.edges.store.views.progress import Progress
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.model import Job, JobId
from batchd.settings import Settings
from batchd.standing.batches import batch_as_data
from batchd.standing.jobs import job_as_data
from batchd.standing.pauses import pause_as_data
from batchd.standing.troubles import trouble_as_data
from batchd.standing.waits import waits_in
from batchd.standing.workers import worker_as_data
from batchd.text.moments import moment_of

if TYPE_CHECKING:
    from batchd.standing.progress import Far

_FINISHED: Final = 20
"""Finished jobs that are shown besides those under way."""
_REFRESH: Final = 1.0


@takes_settings
def status(
    chosen: Chosen,
    *,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="Only this job, with all its batches.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it, until Ctrl-C.")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="All since 2h, 3d, yesterday or 2026-11-26.", show_default=False),
    ] = None,
) -> int:
    """Show what is under way, what it has cost, when the next poll is.

    The daemon need not run. Every job under way is shown, and the last 20 that
    have finished; with --since all that were received or have finished since,
    by the days of this machine. Of one job it also shows how far its documents
    are, and why requests failed, alike ones together. A batch in trouble gets a line of its own; one that only a
    person can decide about names the commands to do so.

    [bold]Examples[/bold]
      batchd status
      batchd status nightly/orders --watch
      batchd status --since yesterday
      batchd status --json | jq '.jobs[] | .job, .state'

    [bold]Exit codes[/bold] 0 shown; 2 there is no such job, or no
    installation.
    """
    if watch and as_json:
        raise Unusable("--watch is for people and --json for programs: choose one of them")
    hush_libraries()
    settings = chosen.looked_at()
    if since is not None and job is not None:
        raise Unusable("--since is for all jobs: leave it out, or the job")
    look = partial(_look, settings, job, waits=watch, since=_moment(since))
    if as_json:
        out().print(data(anyio.run(look).as_data()), soft_wrap=True)
    elif watch:
        with suppress(KeyboardInterrupt):
            anyio.run(_watch, look)
    else:
        out().print(anyio.run(look).as_table(Clock().now()))
    return DONE


async def job_named(store: Store, name: str) -> Job:
    """Find the job that a person means.

    Args:
        store: Where.
        name: Its name: its folder in the outbox.

    Raises:
        Unusable: There is none, but perhaps some with a similar name.
    """
    if found := await store.jobs.named(name.strip("/")):
        return found
    names = await store.overview.names()
    alike = get_close_matches(name, names, n=3, cutoff=0.5) or [each for each in names if name.lower() in each.lower()]
    hint = (
        f"did you mean {' or '.join(printable(each) for each in alike[:3])}?" if alike else "`batchd status` names all"
    )
    raise Unusable(f"there is no job {printable(name)!r}; {hint}")


class _Seen:
    """What one look has found."""

    def __init__(
        self,
        settings: Settings,
        standing: Standing,
        progress: Progress | None,
        waits_for: Mapping[JobId, str],
        workers: Sequence[AtWork],
    ) -> None:
        self._settings = settings
        self._standing = standing
        self._waits_for = waits_for
        self._workers = workers
        self._far = None if progress is None else _far(settings, standing, progress)
        self._running = daemon_runs(settings.state)
        seen = inbox.look(settings.inbox) if settings.inbox.is_dir() else inbox.Seen([], {}, {})
        self._waiting = len(seen.candidates)
        self._waits = _waiting(settings, seen) if seen.instructions else []
        self._rejected = _count_of(settings.outbox / "rejected", ".errors.json")

    def as_data(self) -> dict[str, object]:
        """Tell it in the words of `--json`."""
        alone = {} if self._far is None else self._far.as_data()
        batches = {batch.id: batch for batch in self._standing.batches}
        names = {batch: [each.job.name for each in self._standing.jobs if batch in each.batches] for batch in batches}
        return {
            **signed("status"),
            **rehearsal(sandbox=self._standing.sandbox),
            "daemon": {"running": self._running, "pid": self._process()},
            "inbox": {
                "path": str(self._settings.inbox),
                "waiting": self._waiting,
                "waits": [told for _, told in self._waits],
            },
            "outbox": {"path": str(self._settings.outbox), "rejected": self._rejected},
            "jobs": [
                job_as_data(each, self._standing, self._waits_for.get(each.job.id)) | alone
                for each in self._standing.jobs
            ],
            "batches": [batch_as_data(batch, names[batch.id]) for batch in self._standing.batches],
            "settings_error": self._standing.wrong_settings,
            "paused": [pause_as_data(each) for each in self._standing.paused],
            "untold": [
                {"sink": sink, "waiting": waiting, "since": timestamp(since), "reason": reason}
                for sink, waiting, since, reason in self._standing.untold
            ],
            "troubles": [trouble_as_data(each) for each in self._standing.troubles],
            "workers": [worker_as_data(each) for each in self._workers],
        }

    def as_table(self, now: float) -> RenderableType:
        """Tell it to a person."""
        parts: list[RenderableType] = [cell(self._headline(), "dim")]
        parts += [cell(f"! {said}", "bold red") for said, _ in self._waits]
        if (wrong := self._standing.wrong_settings) is not None:
            parts.append(cell(f"! the settings are wrong, and the old ones hold: {wrong}", "bold red"))
        parts += [paused(each) for each in self._standing.paused]
        if self._settings.fleet.workers > 1:
            parts += [worker_table(self._workers, self._settings.fleet, now), cell("")]
        if not self._standing.jobs:
            kept = [of_thing(each) for each in self._standing.troubles]
            return Group(*parts, cell(f"Nothing yet: drop a file into {self._settings.inbox}"), *kept)
        parts.append(tables(self._standing, now))
        parts += [
            cell(f"job {each.job.name} waits: {self._waits_for[each.job.id]}", "dim")
            for each in self._standing.jobs
            if each.job.id in self._waits_for
        ]
        if self._far is not None:
            job = self._standing.jobs[0].job
            finished = moment(job.finished_at) or "not yet"
            about = f"{job.source}: received {moment(job.received_at)}, finished {finished}"
            parts += [cell(""), cell(about), cell(f"in {self._settings.outbox / job.name}")]
            parts.append(_lines(self._far))
            if self._standing.batches:
                parts += [cell(""), batch_table(self._standing, now)]
        return Group(*parts)

    def _headline(self) -> str:
        said = [f"the daemon runs (process {self._process()})" if self._running else "the daemon does not run"]
        if self._standing.sandbox:
            said.append("a rehearsal: the sandbox answers, and nothing is charged")
        if self._waiting:
            said.append(f"{self._waiting:,} waiting in {self._settings.inbox}")
        if self._rejected:
            said.append(f"{self._rejected:,} rejected, see {self._settings.outbox / 'rejected'}")
        return "; ".join(said)

    def _process(self) -> int | None:
        if not self._running:
            return None
        said = (self._settings.state / "lock").read_text(encoding="ascii", errors="replace").strip()
        return int(said) if said.isdecimal() else None


def _far(settings: Settings, standing: Standing, progress: Progress) -> "Far":
    # What measures documents is a tenth of a second, where one job is asked for.
    from batchd.standing.progress import Far  # noqa: PLC0415

    return Far.measured(standing.jobs[0].job, progress, settings.state / "drafts", Clock().now())


def _lines(far: "Far") -> RenderableType:
    from batchd.cli.status_progress import as_lines  # noqa: PLC0415  same

    return as_lines(far)


def _moment(since: str | None) -> float | None:
    if since is None:
        return None
    found = moment_of(since, datetime.now().astimezone())
    if found is None:
        raise Unusable(f"--since {since!r}: write 2h, 30m, 3d, today, yesterday, or a date such as 2026-11-26")
    return found.timestamp()


async def _look(settings: Settings, job: str | None, *, waits: bool, since: float | None = None) -> _Seen:
    if waits and not await to_thread.run_sync(is_there, settings.database):
        return await to_thread.run_sync(_Seen, settings, Standing((), ()), None, {}, ())
    database = await to_thread.run_sync(installed, settings)
    async with look_into_store(database) as store:
        if job is None:
            standing, progress = await store.overview.read(finished=_FINISHED, since=since), None
        else:
            found = await job_named(store, job)
            standing, progress = await store.overview.read_job(found), await store.progress.read(found.id)
        waits_for = await waits_in(store, settings, standing, Clock().now())
        workers = await store.workers.at_work() if settings.fleet.workers > 1 else []
    return await to_thread.run_sync(_Seen, settings, standing, progress, waits_for, workers)


async def _watch(look: Callable[[], Awaitable[_Seen]]) -> None:
    console, clock = out(), Clock()
    if console.is_terminal:
        from rich.live import Live  # noqa: PLC0415  for a terminal that is watched alone

        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update((await look()).as_table(clock.now()), refresh=True)
                await clock.sleep(_REFRESH)
    before: object = None
    while True:
        seen = await look()
        if (data := seen.as_data()) != before:  # whoever reads a file wants what is new, not a page a second
            before = data
            console.print(seen.as_table(clock.now()))
            console.file.flush()
        await clock.sleep(_REFRESH)


def _waiting(settings: Settings, seen: inbox.Seen) -> list[tuple[str, dict[str, object]]]:
    """Say what waits for instructions to be put right, for people and for programs."""
    # What reads instructions is a tenth of a second, where there are any.
    from batchd.cli.instructed import said_of, waits_as_data  # noqa: PLC0415
    from batchd.journey.instructions import waiting  # noqa: PLC0415
    from batchd.journey.reading import rules_of  # noqa: PLC0415

    return [(said_of(each), waits_as_data(each)) for each in waiting(settings.inbox, seen, rules_of(settings))]


def _count_of(folder: os.PathLike[str], ending: str) -> int:
    return sum(name.endswith(ending) for _, _, names in os.walk(folder) for name in names)

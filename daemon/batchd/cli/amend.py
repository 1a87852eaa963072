"""`batchd amend`: give back what was wrong, failed or was cut, and make the same job whole with it."""

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
import msgspec
import typer
from anyio import to_thread

from batchd.claude.price import dollars, from_picodollars
from batchd.cli.console import cell, data, err, hush_libraries, out, printable
from batchd.cli.exit_codes import DONE, FAILED, Failure, complain
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.cli.status import job_named
from batchd.client import dropping
from batchd.client.finished import Refused
from batchd.decisions.money.worst_case import Bounds
from batchd.decisions.report import rehearsal
from batchd.edges.lock import daemon_runs
from batchd.edges.store import look_into_store
from batchd.errors import Rejected, Unusable
from batchd.formats import signed
from batchd.journey.amending import Given, amendable
from batchd.journey.reading import Reading, rules_of
from batchd.model import Job
from batchd.settings import Settings
from batchd.standing.jobs import marked
from batchd.text import typed

_ACCEPT: Final = 30.0
"""Seconds."""


@takes_settings
def amend(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its name, as `batchd status` shows it.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows or requests of it, put right.")],
    add: Annotated[bool, typer.Option("--add", help="Take ids that the job does not have, as new requests.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Ask anew what is complete, too, and pay again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    accept: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for the daemon to take it.")
    ] = _ACCEPT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Put rows or requests of a finished job right, in the same folder.

    FILE holds some that were left out, failed, or are incomplete: rejects.csv,
    rejects.jsonl or failures.jsonl of the job's folder, put right, or a file
    like the one that was dropped. Each replaces its request, and the job is
    finished again: results.csv is whole then. Answers that were paid for go to
    superseded.jsonl, and stay in the job's cost. What it may cost is told
    before; budgets hold.

    All errors are told at once, with line and field, and then nothing is sent.

    [bold]Examples[/bold]
      batchd amend tickets/march outbox/tickets/march/rejects.csv
      batchd amend orders fixed.jsonl --add --yes

    [bold]Exit codes[/bold] 0 done; 1 something in FILE is wrong, the job has not
    finished, or the answer was no; 2 there is no such job or file.
    """
    hush_libraries()
    settings = chosen.settings()
    if not file.exists():
        raise Unusable(f"{printable(str(file))}: there is no such file")
    return anyio.run(partial(_amend, settings, job, file, _Wish(add, replace, yes, accept, as_json)))


@dataclass(frozen=True, slots=True)
class _Wish:
    add: bool
    replace: bool
    sure: bool
    accept: float
    as_json: bool


@dataclass(slots=True)
class _Found:
    """What an amendment would do."""

    reading: Reading = field(default_factory=Reading)
    replaced: int = 0
    added: int = 0
    worst: int | None = 0
    """Picodollars; None where a price is not known."""


async def _amend(settings: Settings, name: str, file: Path, wish: _Wish) -> int:
    found = _Found()
    async with look_into_store(installed(settings)) as store:
        job = await job_named(store, name)
        try:
            await amendable(store, job.name)
        except Rejected as refused:
            raise Failure(refused.problems[0].message) from None

        def look(at: Path) -> None:
            given = Given(store, settings.outbox, job, at.absolute(), rules_of(settings))
            bounds = Bounds(given.rules.catalogue)
            for each in given.read(found.reading):
                found.replaced += each.replaces is not None
                found.added += each.replaces is None
                worst = bounds.of(each.entry)
                found.worst = None if worst is None or found.worst is None else found.worst + worst
            if found.reading.count:
                raise _WrongError
            _ask(found, job, wish)

        said = {name: True for name, wanted in (("add", wish.add), ("replace", wish.replace)) if wanted}
        drop = partial(
            dropping.amend,
            job.name,
            file,
            settings.inbox,
            settings.outbox,
            _asked(settings.outbox / job.name),
            said,
            look,
        )
        try:
            dropped = await to_thread.run_sync(drop)
        except _WrongError:
            return _tell_errors(found, file, job, as_json=wish.as_json)
    return await to_thread.run_sync(partial(_tell, settings, dropped, found, job, wish))


class _WrongError(Exception):
    """Something in the file is wrong."""


def _asked(folder: Path) -> tuple[bytes, dict[str, object]]:
    """What was asked: the instructions of a job, and what the first line of its file says of all its requests."""
    instructions, settings = b"", {}
    with suppress(FileNotFoundError):
        instructions = (folder / "instructions.md").read_bytes()
    for suffix in (".jsonl", ".ndjson", ".json"):
        with suppress(FileNotFoundError, msgspec.MsgspecError), (folder / f"request{suffix}").open("rb") as request:
            text = request.read() if suffix == ".json" else next((line for line in request if line.strip()), b"")
            settings = typed.decode(text.removeprefix(b"\xef\xbb\xbf"), _OfJob).job
    if isinstance(params := settings.get("params"), dict):
        settings["params"] = {key: value for key, value in params.items() if key != "messages"}
    return instructions, settings


class _OfJob(msgspec.Struct):
    job: dict[str, object] = {}


def _price(found: _Found, job: Job) -> str:
    worst = "an unknown sum" if found.worst is None else f"{dollars(found.worst)} at the most"
    asked = [f"{count:,} {what}" for count, what in ((found.replaced, "asked anew"), (found.added, "new")) if count]
    return f"Job {job.name}: {' and '.join(asked)}, which costs {marked(worst, job)}"


def _ask(found: _Found, job: Job, wish: _Wish) -> None:
    """Tell what it may cost; on a terminal, go on only if that is wanted."""
    for caution in found.reading.cautions:
        err().print(cell(f"caution: {caution.message}"))
    err().print(cell(f"{_price(found, job)}."))
    if wish.sure or wish.as_json or not sys.stdin.isatty():
        return
    if not typer.confirm("Send them?", err=True):
        raise Failure("nothing is sent")


def _tell_errors(found: _Found, file: Path, job: Job, *, as_json: bool) -> int:
    reading = found.reading
    if as_json:
        errors = [
            {
                "file": str(file),
                "line": each.line,
                **({"row": each.row} if each.row else {}),
                "field": each.field,
                "message": each.message,
            }
            for each in reading.problems
        ]
        told = {**signed("amend"), "job": job.name, "errors": errors, "count": reading.count}
        out().print(data(told), soft_wrap=True)
    for each in reading.problems:
        where = ", ".join(part for part in (f"line {each.line}" if each.line else "", each.field) if part)
        complain(f"{file}: {where}: {each.message}" if where else f"{file}: {each.message}")
    if reading.count > len(reading.problems):
        complain(f"{file}: and {reading.count - len(reading.problems):,} more")
    complain("nothing was sent")
    return FAILED


def _tell(settings: Settings, dropped: dropping.Ticket, found: _Found, job: Job, wish: _Wish) -> int:
    running = daemon_runs(settings.state)
    taken = False
    if running:
        try:
            taken = bool(dropped.job(wish.accept))
        except TimeoutError:
            err().print(f"batchd: the daemon has not taken it within {wish.accept:g} s; it lies in the inbox")
        except Refused as refused:
            for error in refused.errors:
                complain(str(error.get("message")))
            return FAILED
    worst = None if found.worst is None else float(from_picodollars(found.worst))
    if wish.as_json:
        told = {
            **signed("amend"),
            "job": job.name,
            **rehearsal(sandbox=job.sandbox),
            "ticket": dropped.id,
            "replaced": found.replaced,
            "added": found.added,
            "worst_case_usd": worst,
            "accepted": taken,
            "daemon": {"running": running},
        }
        out().print(data(told), soft_wrap=True)
    elif taken:
        out().print(cell(f"{found.replaced + found.added:,} requests of job {job.name} are sent."))
    elif not running:
        out().print("It is taken up when `batchd run` is started.")
    return DONE

"""`batchd wait`: for scripts that go on when a job has ended."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from batchd.cli.console import data, out, printable
from batchd.cli.exit_codes import DONE, FAILED, WRONG_CALL, complain
from batchd.cli.options import Chosen, takes_settings
from batchd.client.finished import Held, Refused
from batchd.client.waiting import Watch, looks
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.formats.jobs import Job

LATE: Final = 3
HELD: Final = 4


@dataclass(frozen=True, slots=True)
class Ended:
    """How the waiting for one job ended."""

    code: int
    told: Mapping[str, object]
    complaint: str = ""
    """For stderr; empty where the job is done."""


@takes_settings
def wait(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB…", help="Names, or tickets as @TICKET.")],
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long at the most.", show_default=False)
    ] = None,
    any_: Annotated[bool, typer.Option("--any", help="Until one of them has ended.")] = False,
    through_holds: Annotated[bool, typer.Option("--through-holds", help="Also where a person is needed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a job.")] = False,
) -> int:
    """Wait until jobs have ended.

    It reads the outbox alone: the daemon need not run, nor be on this machine.
    A line a job says how it ended.

    [bold]Examples[/bold]
      batchd wait nightly/orders && deliver outbox/nightly/orders
      batchd wait @01hzx3k8v1q0r7c2d5f9g4h6j2 --timeout 86400

    [bold]Exit codes[/bold] 0 all are done; 1 one ended otherwise, or was
    rejected; 2 there is no such job, or this user may not look; 3 it takes
    longer; 4 one waits for a person. Of several the highest.
    """
    settings = chosen.settings()
    ended = await_jobs(
        jobs, (settings.outbox, settings.inbox, settings.state), timeout, first=any_, through_holds=through_holds
    )
    for name, each in ended.items():
        if as_json:
            out().print(data({"job": name, **each.told, **signed("wait")}), soft_wrap=True)
        elif each.code in {DONE, FAILED} and "state" in each.told:
            out().print(f"{printable(name)} {each.told['state']}", soft_wrap=True)
        if each.complaint:
            complain(each.complaint)
    return max(each.code for each in ended.values())


def await_jobs(
    names: list[str],
    places: tuple[Path, Path, Path | None],
    timeout: float | None,
    *,
    first: bool = False,
    through_holds: bool = False,
) -> dict[str, Ended]:
    """Wait until jobs have ended, or one of them has; those that have not within the time are told as late.

    Args:
        names: Of the jobs.
        places: Outbox, inbox, and the state folder where it is known.
        timeout: Seconds.
    """
    watches = {name: _watched(name, places) for name in names}
    ended: dict[str, Ended] = {}
    for _ in looks(timeout):
        for name in names:
            if name not in ended and (found := _look(watches[name], through_holds=through_holds)) is not None:
                ended[name] = found
        if len(ended) == len(watches) or (first and ended):
            return ended
    late = {name: f"job {name} has not ended within {timeout or 0:g} s" for name in names if name not in ended}
    return ended | {name: Ended(LATE, {"state": None}, said) for name, said in late.items()}


def _watched(name: str, places: tuple[Path, Path, Path | None]) -> Watch:
    try:
        return Watch(name, *places)
    except LookupError as wrong:
        raise Unusable(str(wrong.args[0])) from None


def _look(watch: Watch, *, through_holds: bool) -> Ended | None:
    try:
        job = watch.look(through_holds=through_holds)
    except Refused as refused:
        return Ended(
            FAILED, {"state": "rejected", "errors": refused.errors, "count": refused.count}, f"rejected: {refused}"
        )
    except Held as held:
        return Ended(HELD, {"state": "held", **held.note}, str(held))
    except LookupError as nowhere:
        return Ended(WRONG_CALL, {"state": None}, str(nowhere.args[0]))
    except PermissionError as closed:
        why = f"this user may not read {os.fsdecode(closed.filename or '')}; run the command as the daemon's user"
        return Ended(WRONG_CALL, {"state": None}, why)
    except FileNotFoundError as missing:
        return Ended(
            WRONG_CALL, {"state": None}, f"{os.fsdecode(missing.filename)} is not there: is this the right folder?"
        )
    return None if job is None else _of(job)


def _of(job: Job) -> Ended:
    told: dict[str, object] = msgspec.to_builtins(job)
    requests = job.requests
    if job.state == "done":
        return Ended(DONE, told)
    return Ended(FAILED, told, f"job {job.job} is {job.state}: {requests.complete:,} of {requests.total:,} complete")

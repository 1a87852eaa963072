"""`batchd doctor`: is this installation able to work?"""

from typing import Annotated

import anyio
import typer
from rich.table import Table

from batchd.cli import doctor_checks, doctor_reach
from batchd.cli.console import cell, data, out
from batchd.cli.doctor_checks import Finding, Health
from batchd.cli.doctor_queues import old_queues
from batchd.cli.doctor_sinks import sinks
from batchd.cli.exit_codes import DONE, FAILED
from batchd.cli.logs import set_up_logs
from batchd.cli.options import Chosen, takes_settings
from batchd.errors import Unusable
from batchd.formats import signed

_MARKS = {Health.OK: ("✓", "green"), Health.WARNING: ("!", "yellow"), Health.PROBLEM: ("✗", "bold red")}


@takes_settings
def doctor(
    chosen: Chosen,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not call the API.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Find out whether this installation is able to work.

    It checks settings, key, folders, disk, database, clock and the way to the
    API. Nothing is made or changed, and the key is never shown. Each problem
    comes with its remedy; what is marked with ! works, and could be better.

    [bold]Examples[/bold]
      batchd doctor
      sudo -u batchd batchd doctor --config /etc/batchd/batchd.toml

    [bold]Exit codes[/bold] 0 able to work; 1 something is in the way; 2 wrong
    call.
    """
    set_up_logs(quiet=True)
    findings = anyio.run(_examine, chosen, offline)
    able = all(finding.health is not Health.PROBLEM for finding in findings)
    if as_json:
        out().print(data({**signed("doctor"), "ok": able, "findings": findings}), soft_wrap=True)
    else:
        shown = Table.grid(padding=(0, 1))
        for finding in findings:
            mark, style = _MARKS[finding.health]
            remedy = f"; remedy: {finding.remedy}" if finding.remedy else ""
            shown.add_row(cell(mark, style), cell(finding.about), cell(finding.message + remedy))
        out().print(shown)
    return DONE if able else FAILED


async def _examine(chosen: Chosen, offline: bool) -> list[Finding]:  # noqa: FBT001  handed on by anyio.run
    try:
        settings = chosen.settings()
    except Unusable as error:
        return [Finding("settings", Health.PROBLEM, line, "put it right") for line in str(error).splitlines()]
    found = [doctor_checks.settings_file(chosen.config), doctor_reach.key(settings)]
    found += [*doctor_reach.further_keys(settings), *doctor_checks.folders(settings)]
    found += [*old_queues(settings), *doctor_checks.attachable(settings), *doctor_checks.readable(settings)]
    found += sinks(settings)
    found += [await doctor_checks.database(settings), *doctor_checks.machine(settings)]
    if not offline:
        found += [finding async for finding in doctor_reach.reach(settings)]
    return found

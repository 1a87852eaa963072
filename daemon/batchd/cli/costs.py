"""`batchd costs`: what was spent, by day, folder, job or model."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

import anyio
import typer
from anyio import to_thread
from rich.progress_bar import ProgressBar
from rich.table import Table

from batchd.claude.price import from_picodollars
from batchd.cli.console import cell, data, hush_libraries, is_narrow, out, usd
from batchd.cli.exit_codes import DONE
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.report import rehearsal
from batchd.edges.clock import Clock
from batchd.edges.store import Spent, look_into_store
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.settings import Settings
from batchd.standing.spent import spent_as_data

_CHART = 20
_DAY = 86_400.0
_MOST_DAYS = 100_000


@takes_settings
def costs(
    chosen: Chosen,
    *,
    by: Annotated[Literal["day", "folder", "job", "model"], typer.Option("--by", help="What a line is about.")] = "day",
    days: Annotated[
        int, typer.Option("--days", min=1, max=_MOST_DAYS, help="How far back, in days (UTC), today included.")
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> int:
    """Tell what was spent, and what the same tokens would have cost without batches.

    Amounts are USD, at the prices that were known when the answers came. A
    batch belongs to the day (UTC) on which it was made, a job to the first
    folder that it lay in. What is reserved is the worst case of what is under
    way; it becomes what it really cost.

    [bold]Examples[/bold]
      batchd costs
      batchd costs --by job --days 7
      batchd costs --by model --csv > costs.csv

    [bold]Exit codes[/bold] 0 shown; 2 a wrong call.
    """
    if as_json and as_csv:
        raise Unusable("--json and --csv are two forms of the same: choose one of them")
    hush_libraries()
    spent = anyio.run(_read, chosen.settings(), by, days)
    if as_json:
        out().print(
            data(
                {
                    **signed("costs"),
                    "by": by,
                    "days": days,
                    **rehearsal(sandbox=any(each.sandbox for each in spent)),
                    "spent": [spent_as_data(each, by) for each in spent],
                }
            ),
            soft_wrap=True,
        )
    elif as_csv:
        out().print(_csv(spent, by), end="", soft_wrap=True)
    else:
        out().print(_table(spent, by))
    return DONE


async def _read(settings: Settings, by: str, days: int) -> list[Spent]:
    database = await to_thread.run_sync(installed, settings)
    now = Clock().now()
    async with look_into_store(database) as store:
        return await store.spending.by(by, since=now - now % _DAY - (days - 1) * _DAY)


def _csv(spent: list[Spent], by: str) -> str:
    text = io.StringIO()
    rows = [{**spent_as_data(each, by), "sandbox": str(each.sandbox).lower()} for each in spent]
    empty = {**spent_as_data(Spent("", 0, 0, 0, 0, 0, 0, 0), by), "sandbox": ""}
    writer = csv.DictWriter(text, fieldnames=list(empty), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _table(spent: list[Spent], by: str) -> Table:
    narrow = is_narrow()
    # Where nothing is reserved, and names have little room, that is not said line by line.
    shown = slice(None) if not narrow or any(each.reserved for each in spent) else slice(-1)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0) if narrow else (0, 1))
    table.add_column(by.upper(), overflow="fold")
    for name in ("ANSWERS", "IN", "OUT", "COST", "WITHOUT BATCHES", "RESERVED")[shown]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    most = max((each.cost for each in spent), default=0) or 1
    for each in spent:
        bar = "" if narrow else ProgressBar(total=most, completed=each.cost, width=_CHART)
        table.add_row(cell(each.group), *_cells(each)[shown], bar)
    sums = list(_in_all(spent))
    for whole in sums:
        table.add_row(cell("in all", "bold"), *_cells(whole)[shown], "")
    table.caption = _caption(sums)
    return table


def _in_all(spent: list[Spent]) -> Iterator[Spent]:
    """The sums: of what was spent, and of rehearsals, where there were any."""
    for sandbox in (False, True):
        if numbers := [_numbers(each) for each in spent if each.sandbox is sandbox]:
            yield replace(Spent("", *(sum(each) for each in zip(*numbers, strict=True))), sandbox=sandbox)


def _cells(spent: Spent) -> list[str]:
    return [
        f"{spent.requests:,}",
        f"{spent.input_tokens:,}",
        f"{spent.output_tokens:,}",
        _amount(spent, spent.cost),
        _amount(spent, spent.standard_cost),
        usd(from_picodollars(spent.reserved), sandbox=spent.sandbox),
    ]


def _caption(sums: list[Spent]) -> str | None:
    """What is not known exactly of the sums above."""
    said = []
    if any(each.unpriced for each in sums):
        said.append("+ : and what was charged at a cost that is not known; its reservation stands under RESERVED")
    if bounded := sum(each.bounded for each in sums):
        cut = f"{bounded:,} answers were cut before their length was told"
        said.append(f"{cut}: their output, and its cost, is a bound")
    return "\n".join(said) or None


def _numbers(spent: Spent) -> tuple[int, ...]:
    return (
        spent.requests,
        spent.input_tokens,
        spent.output_tokens,
        spent.cost,
        spent.standard_cost,
        spent.reserved,
        spent.unpriced,
        spent.bounded,
    )


def _amount(spent: Spent, picodollars: int) -> str:
    return usd(from_picodollars(picodollars), sandbox=spent.sandbox) + (" +" if spent.unpriced else "")

"""`batchd prune`: remove what has been kept long enough, and say what stays and why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import anyio
import typer
from anyio import to_thread

from batchd.cli.console import cell, data, err, hush_libraries, out, printable
from batchd.cli.exit_codes import DONE, Failure
from batchd.cli.installed import installed
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.retention import What, days_of
from batchd.edges.clock import Clock
from batchd.edges.store import look_into_store, write_to_store
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.journey.places import Places
from batchd.journey.pruning import Kept, Pruned, Pruning, Removal
from batchd.settings import Settings

_AGE: Final = re.compile(r"(\d{1,5})\s*d?")
_SHOWN: Final = 50
"""Things of a kind that a person is told of by name."""


@takes_settings
def prune(
    chosen: Chosen,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go; change nothing.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="90d", help="Days that it is kept, instead of what the settings say.", show_default=False),
    ] = None,
    what: Annotated[
        str | None,
        typer.Option(
            metavar="outbox,documents_only,rejected,rows",
            help="Only these; else all that is asked for.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Remove what has been kept long enough.

    How long is said in the settings, by `keep`, for the folders of finished
    jobs (outbox; before that, all of them but documents and reports:
    documents_only, which packs results), what was refused (rejected) and what the database knows of
    single requests (rows); nothing goes that nobody asks to go. What jobs have
    cost stays in `batchd costs`, and their names stay taken. The daemon may run.

    [bold]Examples[/bold]
      batchd prune --older-than 90d --dry-run
      batchd prune --older-than 365d --what rows

    [bold]Exit codes[/bold] 0 done, or nothing was asked for; 1 something
    could not be removed; 2 a wrong call, or no installation.
    """
    hush_libraries()
    settings = chosen.settings()
    days = _days(settings, older_than, what)
    if not days:
        if as_json:
            out().print(data({**signed("prune"), "removes": [], "keeps": []}), soft_wrap=True)
        else:
            out().print(cell("nothing is removed: [keep] asks for nothing; see --older-than, and docs/keeping.md"))
        return DONE
    told = anyio.run(_prune, settings, days, dry_run)
    if as_json:
        out().print(data(_as_data(told.pruned)), soft_wrap=True)
    else:
        _tell(told.pruned, "would go" if dry_run else "removed")
    if told.failed:
        raise Failure(f"{told.failed} could not be removed, and will be tried again by the next `batchd prune`")
    return DONE


@dataclass(frozen=True, slots=True)
class _Told:
    pruned: Pruned
    failed: int = 0


def _days(settings: Settings, older_than: str | None, what: str | None) -> dict[What, float]:
    kinds = set(What)
    if what is not None:
        said = [each.strip() for each in what.split(",") if each.strip()]
        known = {str(each): each for each in What}
        if not said or not known.keys() >= set(said):
            raise Unusable(f"--what {what!r}: name some of {', '.join(known)}, with commas between")
        kinds = {known[each] for each in said}
    if older_than is None:
        keep = settings.keep
        return days_of(
            outbox=keep.outbox,
            documents_only=keep.documents_only,
            rejected=keep.rejected,
            rows=keep.rows,
            only=kinds,
        )
    found = _AGE.fullmatch(older_than.strip())
    if found is None:
        raise Unusable(f"--older-than {older_than!r}: say days, such as 90d")
    if what is None:
        kinds.discard(What.DOCUMENTS_ONLY)  # the whole folder goes
    # What has just finished is older than nothing.
    return dict.fromkeys(kinds, max(float(found[1]), 1e-9))


async def _prune(settings: Settings, days: Mapping[What, float], dry_run: bool) -> _Told:  # noqa: FBT001  anyio.run takes no names
    database = await to_thread.run_sync(installed, settings)
    places = Places(settings.inbox, settings.outbox, settings.state)
    async with look_into_store(database) as store:
        plan = await Pruning(store, Clock(), places).plan(days)
    if dry_run or not plan.removes:
        return _Told(plan)
    gone: list[Removal] = []
    stayed: list[Kept] = []
    async with write_to_store(database) as store:
        async for each in Pruning(store, Clock(), places).remove(plan):
            if isinstance(each, Removal):
                gone.append(each)
            else:
                stayed.append(each)
    return _Told(Pruned(tuple(gone), (*plan.keeps, *stayed)), len(stayed))


def _as_data(pruned: Pruned) -> dict[str, object]:
    return {
        **signed("prune"),
        "removes": [{"what": str(each.what), "path": str(each.path), "bytes": each.size} for each in pruned.removes],
        "keeps": [{"path": str(each.path), "reason": each.reason} for each in pruned.keeps],
    }


def _tell(pruned: Pruned, done: str) -> None:
    for what in What:
        of_kind = [each for each in pruned.removes if each.what is what]
        if of_kind:
            total = sum(each.size for each in of_kind)
            out().print(cell(f"{what}: {len(of_kind):,} {done}, {_megabytes(total)}", "bold"))
            _list([printable(str(each.path)) for each in of_kind])
    if not pruned.removes:
        out().print(cell("nothing is old enough"))
    if pruned.keeps:
        err().print(cell(f"{len(pruned.keeps):,} stay:", "dim"))
        _list([f"{printable(str(each.path))}: {each.reason}" for each in pruned.keeps], to_err=True)


def _list(lines: list[str], *, to_err: bool = False) -> None:
    console = err() if to_err else out()
    for line in lines[:_SHOWN]:
        console.print(cell(f"    {line}", "dim"))
    if len(lines) > _SHOWN:
        console.print(cell(f"    and {len(lines) - _SHOWN:,} more: --json names all", "dim"))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

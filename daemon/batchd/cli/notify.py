"""`batchd notify`: try who is told of what happens, and see what they were told."""

from typing import Annotated, Literal

import anyio
import typer
from anyio import to_thread
from rich.table import Table

from batchd.cli.console import cell, data, err, moment, out
from batchd.cli.exit_codes import DONE, FAILED
from batchd.cli.installed import installed
from batchd.cli.logs import set_up_logs
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.report import timestamp
from batchd.edges.clock import Clock
from batchd.edges.store import is_there, look_into_store
from batchd.edges.store.notices import Delivery
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.notice import PREFIX, Attempt, Told
from batchd.settings import Settings, Sink

_MOST = 100
"""Notices that are listed."""


@takes_settings
def notify(
    chosen: Chosen,
    *,
    what: Annotated[Literal["test", "list"], typer.Argument(help="Try sinks, or list what was told.")],
    sink: Annotated[
        str | None,
        typer.Argument(metavar="SINK", help="Only this one, by its name.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Try who is told of what happens, and see what they were told.

    `test` sends a notice of the kind `test` to each sink of the settings at
    once, whatever it wants to be told of, and says how that went. `list`
    shows the last 100 notices, the newest first, and how they stand with each
    sink.

    [bold]Examples[/bold]
      batchd notify test
      batchd notify test team
      batchd notify list --json

    [bold]Exit codes[/bold] 0 done; 1 a sink did not take it; 2 there is no
    such sink, or no installation.
    """
    set_up_logs(quiet=True)
    settings = chosen.settings()
    if what == "test":
        return anyio.run(_test, settings, sink, as_json)
    return anyio.run(_list, settings, sink, as_json)


def _chosen_sinks(settings: Settings, name: str | None) -> dict[str, Sink]:
    sinks = settings.notify.sinks
    if name is not None and name not in sinks:
        known = ", ".join(sinks) or "none; see docs/notices.md"
        raise Unusable(f"there is no sink {name!r} in the settings; there are {known}")
    if not sinks:
        raise Unusable("the settings have no sinks: see [notify.sinks.NAME] in docs/notices.md")
    return dict(sinks) if name is None else {name: sinks[name]}


async def _test(settings: Settings, name: str | None, as_json: bool) -> int:  # noqa: FBT001  handed on by anyio.run
    from batchd.edges.sinks import taker_of, tried  # noqa: PLC0415  an HTTP client, which a list does not need

    sinks = _chosen_sinks(settings, name)
    installation = await _installation(settings)
    found: dict[str, Attempt] = {}

    async def attempt(each: str) -> None:
        found[each] = await tried(sinks[each], taker_of(sinks[each]), installation, Clock().now())

    async with anyio.create_task_group() as tasks:
        for each in sinks:
            tasks.start_soon(attempt, each)
    if as_json:
        told = {each: {"ok": found[each].told is Told.DONE, "reason": found[each].reason or None} for each in sinks}
        out().print(data({**signed("notify"), "sinks": told}), soft_wrap=True)
    else:
        for each in sinks:
            taken = found[each].told is Told.DONE
            line = f"{each} ({_way(sinks[each])}): {'took it' if taken else found[each].reason}"
            (out() if taken else err()).print(cell(line), soft_wrap=True)
    return DONE if all(each.told is Told.DONE for each in found.values()) else FAILED


def _way(sink: Sink) -> str:
    """Say where it leads, without what may be a secret."""
    for address in (sink.url, sink.apprise, sink.ping):
        if address is not None:
            return address.shown
    return sink.command[0]


async def _installation(settings: Settings) -> str:
    if not await to_thread.run_sync(is_there, settings.database):
        return "none"
    async with look_into_store(settings.database) as store:
        return store.installation


async def _list(settings: Settings, name: str | None, as_json: bool) -> int:  # noqa: FBT001  handed on by anyio.run
    if name is not None:
        _chosen_sinks(settings, name)
    async with look_into_store(installed(settings)) as store:
        found = [each for each in await store.notices.latest(_MOST) if name in {None, each.sink}]
        installation = store.installation
    if as_json:
        out().print(data({**signed("notify"), "notices": _listed(found, installation)}), soft_wrap=True)
        return DONE
    table = Table("AT", "EVENT", "ABOUT", "SINK", "STATE", box=None, header_style="bold", pad_edge=False)
    for each in found:
        row = (moment(each.notice.at), each.notice.kind.value, _about(each), each.sink or "-", _state(each))
        table.add_row(*map(cell, row))
    out().print(table)
    return DONE


def _about(of: Delivery) -> str:
    told = of.notice.data
    return str(told.get("job") or told.get("file") or told.get("folder") or told.get("batch") or "")


def _state(of: Delivery) -> str:
    if of.sink is None:
        return "for nobody"
    if of.done_at is not None:
        return "told"
    if of.failed is not None:
        return f"given up: {of.failed}"
    if of.next_at is None or not of.attempts:
        return "waits"
    return f"{of.said}; again {moment(of.next_at)}"


def _listed(found: list[Delivery], installation: str) -> list[dict[str, object]]:
    listed: dict[int, dict[str, object]] = {}
    for each in found:
        notice = each.notice
        told = listed.setdefault(
            notice.id,
            {
                "id": f"msg_{installation}_{notice.id}",
                "type": PREFIX + notice.kind,
                "timestamp": timestamp(notice.at),
                "queue": notice.queue,
                "data": notice.data,
                "deliveries": [],
            },
        )
        deliveries = told["deliveries"]
        if each.sink is not None and isinstance(deliveries, list):
            deliveries.append(_delivery(each))
    return list(listed.values())


def _delivery(of: Delivery) -> dict[str, object]:
    state = "done" if of.done_at is not None else "failed" if of.failed is not None else "waiting"
    return {
        "sink": of.sink,
        "state": state,
        "attempts": of.attempts,
        "next_at": None if of.next_at is None else timestamp(of.next_at),
        "done_at": None if of.done_at is None else timestamp(of.done_at),
        "reason": of.failed or of.said,
    }

"""`batchd sandbox`: the stand-in of the API alone, for other programs and tests."""

import dataclasses
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import msgspec
import typer

from batchd.cli.console import out
from batchd.cli.exit_codes import DONE
from batchd.cli.logs import set_up_logs
from batchd.errors import Unusable

if TYPE_CHECKING:
    from batchd.sandbox import Fault, SandboxSettings

_ALWAYS = "always"


def sandbox(  # noqa: PLR0913  its flags
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes any free port.")] = 0,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where batches survive its end; otherwise they are gone with it.", show_default=False
        ),
    ] = None,
    duration: Annotated[float, typer.Option(min=0, help="Seconds that a small batch takes.")] = 1.0,
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The only key it takes; any, if not given.", show_default=False)
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROUTE:KIND[,FIELD=VALUE…]",
            help="What goes wrong; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="List what can go wrong, and end.")] = False,
) -> int:
    """Run the API's stand-in alone, for other programs and tests.

    It runs until SIGTERM or SIGINT: a real HTTP server on 127.0.0.1, as
    strict as the API: batches are created, take their time, end, expire, are
    cancelled and listed; messages by themselves are answered at once, whole
    or as a stream. The text it writes means nothing. Any key will do.

    A fault says in which route something goes wrong (or any), what, and when:
    times=N or times=always, after=N calls, begins=SECONDS, ends=SECONDS.

    [bold]Examples[/bold]
      batchd sandbox --port 8787
      export ANTHROPIC_BASE_URL=http://127.0.0.1:8787 ANTHROPIC_API_KEY=any

      batchd sandbox --fault create:low_credit,times=always,ends=300

    [bold]Exit codes[/bold] 0 stopped; 1 it cannot listen there; 2 wrong call.
    """
    from batchd.sandbox import SandboxSettings  # noqa: PLC0415  a web server, which no other command needs
    from batchd.sandbox.faults import KINDS  # noqa: PLC0415  same

    if faults:
        for name, kind in KINDS.items():
            out().print(f"{name:36} {kind.does}", soft_wrap=True, markup=False)
        return DONE
    set_up_logs()
    planned = tuple(_fault(each) for each in fault or ())
    anyio.run(_listen, SandboxSettings(port=port, state=state, duration=duration, api_key=api_key, faults=planned))
    return DONE


def _fault(said: str) -> "Fault":
    from batchd.sandbox import Fault  # noqa: PLC0415  same

    where, *fields = said.split(",")
    route, _, kind = where.partition(":")
    told: dict[str, object] = {"route": route, "kind": kind}
    for field in fields:
        name, _, value = field.partition("=")
        told[name] = None if value == _ALWAYS else value
    if unknown := told.keys() - {field.name for field in dataclasses.fields(Fault)}:
        raise Unusable(f"--fault {said}: there is no {', '.join(sorted(unknown))}; see `batchd sandbox --faults`")
    try:
        return msgspec.convert(told, Fault, strict=False)
    except msgspec.ValidationError as mistake:
        raise Unusable(f"--fault {said}: {mistake}") from mistake


async def _listen(settings: "SandboxSettings") -> None:
    from batchd.sandbox import serve  # noqa: PLC0415  same

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with serve(settings) as server:
            console = out()
            console.print(f"The sandbox listens at {server.base_url}: nothing is charged, and no model writes.")
            console.print(f"export ANTHROPIC_BASE_URL={server.base_url} ANTHROPIC_API_KEY=any")
            console.print("It runs until Ctrl-C.")
            console.file.flush()
            async for _ in signals:
                return

"""`batchd sandbox`: the stand-in of the API alone, for other programs and tests."""

import signal
from pathlib import Path
from typing import Annotated

import anyio
import typer

from batchd.cli.console import out
from batchd.cli.exit_codes import DONE
from batchd.cli.logs import set_up_logs


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes any free port.")] = 0,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where batches survive its end; otherwise they are gone with it.", show_default=False
        ),
    ] = None,
) -> int:
    """Run the API's stand-in alone, for other programs and tests.

    It runs until SIGTERM or SIGINT: a real HTTP server on 127.0.0.1, as
    strict as the API: batches are created, take their time, end, expire, are
    cancelled and listed; messages by themselves are answered at once, whole
    or as a stream. The text it writes means nothing. Any key will do.

    [bold]Example[/bold]
      batchd sandbox --port 8787
      export ANTHROPIC_BASE_URL=http://127.0.0.1:8787 ANTHROPIC_API_KEY=any

    [bold]Exit codes[/bold] 0 stopped; 1 it cannot listen there; 2 wrong call.
    """
    set_up_logs()
    anyio.run(_listen, port, state)
    return DONE


async def _listen(port: int, state: Path | None) -> None:
    from batchd.sandbox import SandboxSettings, serve  # noqa: PLC0415  a web server, which no other command needs

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with serve(SandboxSettings(port=port, state=state)) as server:
            console = out()
            console.print(f"The sandbox listens at {server.base_url}: nothing is charged, and no model writes.")
            console.print(f"export ANTHROPIC_BASE_URL={server.base_url} ANTHROPIC_API_KEY=any")
            console.print("It runs until Ctrl-C.")
            console.file.flush()
            async for _ in signals:
                return

"""`batchd sandbox`: the stand-in of the API alone, for other programs and tests."""

import dataclasses
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import msgspec
import typer
from anyio import to_thread

from batchd.cli.console import out
from batchd.cli.exit_codes import DONE
from batchd.cli.logs import set_up_logs
from batchd.errors import Unusable
from batchd.text import typed

if TYPE_CHECKING:
    from batchd.sandbox import Fault, SandboxSettings

_ALWAYS = "always"
_ORGANIZATION = "0b8a1c2e-5a4d-4c1f-9e6b-5d7f3a2c1b00"


def sandbox(  # noqa: PLR0913  its flags
    *,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes any free port.")] = 0,
    url_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where its URL is written once it listens.", show_default=False)
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where batches survive its end; otherwise they are gone with it.", show_default=False
        ),
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The only key it takes; any, if not given.", show_default=False)
    ] = None,
    workspaces: Annotated[
        bool, typer.Option("--workspaces", help="Each key is of a workspace of its own, and sees its batches alone.")
    ] = False,
    duration: Annotated[float, typer.Option(min=0, help="Seconds that a small batch takes.")] = 1.0,
    cancel_duration: Annotated[float, typer.Option(min=0, help="Seconds until a cancelled batch has ended.")] = 0.2,
    message_duration: Annotated[
        float, typer.Option(min=0, help="Seconds that the answer to a message by itself takes.")
    ] = 0.0,
    expire_after: Annotated[float, typer.Option(min=0, help="Seconds until what is unprocessed expires.")] = 86400.0,
    archive_after: Annotated[float, typer.Option(min=0, help="Seconds for which results can be had.")] = 2505600.0,
    requests_per_minute: Annotated[
        int | None,
        typer.Option(min=1, help="Calls a minute, before a 429; any number, if not given.", show_default=False),
    ] = None,
    max_queued_requests: Annotated[
        int | None,
        typer.Option(min=1, help="Requests in unfinished batches, before a 429; same.", show_default=False),
    ] = None,
    max_requests: Annotated[int, typer.Option(min=1, help="Requests that a batch may have.")] = 100_000,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes that a body may have.")] = 256_000_000,
    keep_alive: Annotated[int, typer.Option(min=0, help="Seconds until an idle connection is closed.")] = 60,
    cache_hits: Annotated[float, typer.Option(min=0, max=1, help="Share of requests that find the cache.")] = 1.0,
    organization: Annotated[
        str, typer.Option(metavar="ID", help="Whom every answer says it is from; empty for nobody.")
    ] = _ORGANIZATION,
    seed: Annotated[int, typer.Option(help="Another seed writes other texts.")] = 0,
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
    or as a stream. What it writes means nothing, but keeps what was asked
    for: tools, schemas, lengths, sections. Any key will do. The line that it
    prints ends with its URL.

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
    try:
        settings = SandboxSettings(
            host=host,
            port=port,
            state=state,
            api_key=api_key,
            workspaces=workspaces,
            duration=duration,
            cancel_duration=cancel_duration,
            message_duration=message_duration,
            expire_after=expire_after,
            archive_after=archive_after,
            requests_per_minute=requests_per_minute,
            max_queued_requests=max_queued_requests,
            max_requests=max_requests,
            max_bytes=max_bytes,
            keep_alive=keep_alive,
            cache_hits=cache_hits,
            organization=organization,
            seed=seed,
            faults=tuple(_fault(each) for each in fault or ()),
        )
    except ValueError as mistake:
        raise Unusable(f"--{mistake}") from mistake
    anyio.run(_listen, settings, url_file)
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
        return typed.convert(told, Fault, strict=False)
    except msgspec.ValidationError as mistake:
        raise Unusable(f"--fault {said}: {mistake}") from mistake


async def _listen(settings: "SandboxSettings", url_file: Path | None) -> None:
    from batchd.sandbox import serve  # noqa: PLC0415  same

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with serve(settings) as server:
            if url_file is not None:
                await to_thread.run_sync(_write_whole, url_file, f"{server.base_url}\n")
            # Plain, since a line that is wrapped or coloured would not end with the URL.
            sys.stdout.write(f"Nothing is charged, and no model writes. The sandbox listens at {server.base_url}\n")
            sys.stdout.flush()
            async for _ in signals:
                return


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    try:
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as trouble:
        raise Unusable(f"--url-file {path}: {trouble.strerror}") from trouble

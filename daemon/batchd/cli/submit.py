"""`batchd submit`: drop what is to be asked, whole and at once, and say what it is called."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from batchd.cli.console import data, err, hush_libraries, out, printable
from batchd.cli.exit_codes import DONE, FAILED, complain
from batchd.cli.options import Chosen, takes_settings
from batchd.cli.wait import await_jobs
from batchd.client import dropping
from batchd.client.dropping import Ticket
from batchd.client.finished import Refused
from batchd.client.spreadsheet import as_tables
from batchd.errors import Unusable
from batchd.formats import signed
from batchd.settings import Settings

_STDIN: Final = "-"
_FORMS: Final = ("jsonl", "csv", "tsv", "md", "txt", "json")
_ACCEPT: Final = 30.0
"""Seconds."""


@takes_settings
def submit(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    paths: Annotated[list[str], typer.Argument(metavar="PATH…|-", help="What is to be asked; - for standard input.")],
    prompt: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What is asked about each row, or each file.", show_default=False),
    ] = None,
    to: Annotated[str, typer.Option(metavar="FOLDER", help="A folder of the inbox.", show_default=False)] = "",
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The job's name.", show_default=False)] = None,
    ticket: Annotated[
        str | None,
        typer.Option(metavar="TICKET", help="Of an earlier try: what came with it is sent once.", show_default=False),
    ] = None,
    as_: Annotated[
        str | None, typer.Option("--as", metavar="FORM", help="Of standard input: jsonl, csv, md …", show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="ID", help="The model.", show_default=False)] = None,
    max_tokens: Annotated[
        str | None, typer.Option(metavar="N", help="The longest answer, in tokens.", show_default=False)
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="USD", help="What all of it may cost.", show_default=False)
    ] = None,
    schema: Annotated[
        str | None, typer.Option(metavar="FILE", help="JSON Schema of each answer.", show_default=False)
    ] = None,
    on_error: Annotated[
        str | None, typer.Option(metavar="refuse|skip", help="What becomes of wrong rows.", show_default=False)
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="The column that names a row.", show_default=False)
    ] = None,
    accept: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for the daemon to take it.")
    ] = _ACCEPT,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended, as `batchd wait` does.")] = False,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="With --wait: how long at the most.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Drop what is to be asked, and print the job's name.

    A file is dropped as it is; several, or one with a prompt or settings, as
    one folder. It is in the inbox at once and whole. Where no daemon takes it
    in time, its ticket is printed as @TICKET, which every command takes for a
    name: it is not lost, and taken when a daemon runs. With --ticket, a script
    may submit again after a crash, and nothing is sent twice.

    [bold]Examples[/bold]
      batchd submit questions.jsonl
      batchd submit tickets.csv --prompt classify.md --budget 5 --wait
      job=$(batchd submit - --as md < question.md)

    [bold]Exit codes[/bold] 0 dropped; 1 it was rejected; 2 wrong call. With
    --wait those of `batchd wait`.
    """
    settings = chosen.settings()
    said = {
        "model": model,
        "max_tokens": _number(max_tokens, "--max-tokens", int),
        "budget": _number(budget, "--budget", float),
        "schema": schema,
        "on_error": on_error,
        "id": id_,
    }
    with _sources(paths, as_) as files, as_tables(files) as sources:
        try:
            dropped = dropping.submit(
                *sources,
                inbox=settings.inbox,
                outbox=settings.outbox,
                prompt=prompt,
                to=to,
                name=name or ("stdin" if paths == [_STDIN] else None),
                ticket=ticket,
                **said,
            )
        except FileNotFoundError as missing:
            raise Unusable(f"{missing.filename}: there is no such file") from None
        _tell_price(sources, settings, prompt, to, said)
    return _tell(dropped, accept, as_json=as_json) if not wait else _wait(dropped, timeout, as_json=as_json)


def _tell_price(
    sources: Sequence[Path], settings: Settings, prompt: Path | None, to: str, said: Mapping[str, object]
) -> None:
    """Say what it may cost. It was dropped: whatever keeps that from being known is no matter of the submission."""
    from batchd.cli.priced import price_of  # noqa: PLC0415  what reads files, which need not be there before the drop

    hush_libraries()
    try:
        price = price_of(sources, settings, prompt, to, said)
    except Exception:  # noqa: BLE001  see above
        return
    if price is not None:
        err().print(f"batchd: {price}", soft_wrap=True)


def _tell(dropped: Ticket, accept: float, *, as_json: bool) -> int:
    told: dict[str, object] = {**signed("submit"), "ticket": dropped.id, "job": None}
    try:
        told["job"] = dropped.job(accept)
    except TimeoutError:
        err().print(f"batchd: no daemon has taken it within {accept:g} s; it lies in {printable(str(dropped.inbox))}")
    except PermissionError:
        err().print("batchd: it was taken, and this user may not read the outbox, where its name is")
    except Refused as refused:
        if as_json:
            rejected = {"rejected": refused.rejected, "errors": refused.errors, "count": refused.count}
            out().print(data(told | rejected), soft_wrap=True)
        _complain(refused)
        return FAILED
    if as_json:
        out().print(data(told), soft_wrap=True)
    else:
        out().print(printable(str(told["job"] or dropped)), soft_wrap=True)
    return DONE


def _wait(dropped: Ticket, timeout: float | None, *, as_json: bool) -> int:
    name = str(dropped)
    ended = await_jobs([name], (dropped.outbox, dropped.inbox, None), timeout)[name]
    if as_json:
        told = {**ended.told, **signed("submit"), "ticket": dropped.id}
        out().print(data({"job": None, **told}), soft_wrap=True)
    else:
        out().print(printable(str(ended.told.get("job") or name)), soft_wrap=True)
    if ended.complaint:
        complain(ended.complaint)
    return ended.code


def _complain(refused: Refused) -> None:
    for error in refused.errors:
        line, field = error.get("line"), error.get("field")
        where = ", ".join(part for part in (f"line {line}" if line else "", str(field or "")) if part)
        complain(f"{where}: {error.get('message')}" if where else str(error.get("message")))
    if refused.count > len(refused.errors):
        complain(f"and {refused.count - len(refused.errors):,} more, in rejected/{refused.rejected}.errors.json")


@contextmanager
def _sources(paths: list[str], form: str | None) -> Iterator[list[Path]]:
    """Paths as they were given; standard input as a file of the form that was said."""
    if _STDIN not in paths:
        if form is not None:
            raise Unusable("--as is for standard input: write - for the path")
        yield [Path(path) for path in paths]
        return
    if len(paths) > 1 or form not in _FORMS:
        raise Unusable(f"standard input is one file, and --as says what it is: {', '.join(_FORMS)}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"stdin.{form}")
        with file.open("wb") as written:
            while piece := sys.stdin.buffer.read(1 << 20):
                written.write(piece)
        yield [file]


def _number(text: str | None, flag: str, kind: type[int] | type[float]) -> float | None:
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise Unusable(f"{flag} {text!r}: write a number") from None

"""`batchd results`: what came of a job, in the order of its file."""

import csv
import io
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
import typer

from batchd.cli.console import printable
from batchd.cli.exit_codes import DONE, FAILED, complain
from batchd.cli.options import Chosen, takes_settings
from batchd.client.finished import Refused
from batchd.client.reading import Row, folder_of
from batchd.client.reading import results as read_results
from batchd.errors import Unusable
from batchd.model import Verdict

_TABLES: Final = ("results.csv", "results.tsv")
_VERDICTS: Final = frozenset(map(str, Verdict))
_COLUMNS: Final = ("custom_id", "answer", "verdict", "reason", "cost_usd")


@takes_settings
def results(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its name, or @TICKET.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="A table: results.csv where the job has one.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="The API's own lines, one a request.")] = False,
    as_text: Annotated[bool, typer.Option("--text", help="The documents, one after the other.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERDICT", help="Only these; may be repeated, or with commas between.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Not to stdout.", show_default=False)
    ] = None,
) -> int:
    """Print what came of a job, in the order of its file.

    A job of rows comes as its table, one request as its text, anything else as
    the API's own lines. Of a job that is under way it prints what is there,
    and says so on stderr.

    [bold]Examples[/bold]
      batchd results tickets --csv -o tickets.csv
      batchd results handbook --text | less
      batchd results orders --jsonl --only short --only truncated

    [bold]Exit codes[/bold] 0 printed; 1 it was rejected; 2 there is no such job.
    """
    if as_csv + as_jsonl + as_text > 1:
        raise Unusable("choose one of --csv, --jsonl and --text")
    outbox = chosen.settings().outbox
    form = "csv" if as_csv else "jsonl" if as_jsonl else "text" if as_text else None
    try:
        return _print(job, outbox, form, _verdicts(only or ()), output)
    except LookupError as nowhere:
        raise Unusable(str(nowhere.args[0])) from None
    except Refused as refused:
        complain(f"rejected: {refused}")
        return FAILED
    except PermissionError as closed:
        raise Unusable(f"this user may not read {os.fsdecode(closed.filename)}") from None


def _verdicts(said: Iterable[str]) -> frozenset[str]:
    """Read what `--only` names, one or more with commas between; a verdict that there is none of selects nothing."""
    named = frozenset(each.strip() for words in said for each in words.split(","))
    if unknown := named - _VERDICTS:
        raise Unusable(f"--only {min(unknown)!r}: no such verdict; there are {', '.join(sorted(_VERDICTS))}")
    return named


def _print(job: str, outbox: Path, form: str | None, only: Collection[str], output: Path | None) -> int:
    folder = folder_of(job, outbox)
    if not (folder / "job.json").exists():
        complain(f"job {printable(job)} is under way: this is not all")
    table = next((folder / name for name in _TABLES if (folder / name).exists()), None)
    form = form or ("csv" if table is not None else "text" if _is_one(folder) else "jsonl")
    with _written(output) as to:
        if table is not None and form == "csv" and not only:
            with table.open("rb") as found:
                shutil.copyfileobj(found, to)
        else:
            _WRITERS[form]((row for row in read_results(job, outbox) if not only or row.verdict in only), to)
    return DONE


def _is_one(folder: Path) -> bool:
    """Whether a job asked for one thing: its text is what its owner wants to see."""
    try:
        with (folder / "report.jsonl").open("rb") as report:
            return bool(report.readline()) and not report.readline()
    except FileNotFoundError:
        return False


def _as_lines(rows: Iterator[Row], to: IO[bytes]) -> None:
    for row in rows:
        if row.result is not None:
            to.write(msgspec.json.encode(row.result) + b"\n")


def _as_text(rows: Iterator[Row], to: IO[bytes]) -> None:
    for row in rows:
        if row.text is not None:
            to.write(row.text.encode() + (b"" if row.text.endswith("\n") else b"\n"))


def _as_table(rows: Iterator[Row], to: IO[bytes]) -> None:
    text = io.TextIOWrapper(to, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow((row.custom_id, row.text or "", row.verdict or "", row.reason or "", row.cost_usd))
    text.flush()
    text.detach()


@contextmanager
def _written(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(f".{output.name}.part")
    try:
        with partial.open("wb") as written:
            yield written
        partial.rename(output)
    finally:
        partial.unlink(missing_ok=True)


_WRITERS: Final = {"jsonl": _as_lines, "text": _as_text, "csv": _as_table}

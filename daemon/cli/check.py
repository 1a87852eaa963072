"""`batchd check`: validate and price files offline, by the same rules as the daemon."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Annotated, Final

import msgspec
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from daemon.cli.console import cell, err, out, usd
from daemon.cli.ending import DONE, FAILED, WRONG_CALL, complain
from daemon.cli.estimate import Estimate
from daemon.cli.options import Chosen, takes_settings
from daemon.decisions.jobfile import Rules, Said, read
from daemon.edges import disk, inbox
from daemon.edges.clock import Clock
from daemon.edges.rejected import MAX_PROBLEMS
from daemon.intake import rules_of
from daemon.model import Caution, Entry, Problem

_CHUNK: Final = 1 << 19
_A_WHILE: Final = 1.0
"""Seconds after which progress is shown."""

Progressed = Callable[[int, int], None]
"""Hears how many bytes of a file have been read, and how many there are."""


@dataclass(slots=True)
class Finding:
    """What one file turned out to hold."""

    file: Path
    requests: int = 0
    betas: set[str] = field(default_factory=set)
    long_requests: int = 0
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    """Of the problems, those beyond the first 1,000 included."""
    cautions: list[Caution] = field(default_factory=list)
    estimate: Estimate = field(default_factory=Estimate)

    @property
    def ok(self) -> bool:
        """Whether the daemon would take it."""
        return self.count == 0

    def take(self, said: Said, long_tokens: int) -> None:
        """Note one thing that the file says.

        Args:
            said: A request, or a remark.
            long_tokens: A `max_tokens` above this makes a request long.
        """
        match said:
            case Entry():
                self.requests += 1
                self.betas.update(said.betas)
                self.long_requests += said.max_tokens > long_tokens
                self.estimate.add(said)
            case Problem():
                self.count += 1
                if len(self.problems) < MAX_PROBLEMS:
                    self.problems.append(said)
            case Caution():
                self.cautions.append(said)


@takes_settings
def check(
    chosen: Chosen,
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Job files, as they would be dropped.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> int:
    """Validate and price files offline: nothing is spent, or touched.

    Every error is told with its line and field, by the rules by which the
    daemon would reject the file whole. The price is an upper bound (a token
    for each byte of input, every answer as long as its max_tokens) and an
    estimate (four bytes a token), at the batch price and at the synchronous
    one.

    [bold]Examples[/bold]
      batchd check questions.jsonl handbook.md
      batchd check --json questions.jsonl | jq '.files[].worst_case_usd'

    [bold]Exit codes[/bold] 0 every file would be taken; 1 one would be
    rejected; 2 one cannot be read.
    """
    settings = chosen.settings()
    rules = rules_of(settings)
    findings: list[Finding] = []
    unreadable = 0
    with _progress() as progress:
        for file in files:
            try:
                findings.append(examine(file, rules, settings.batch.long_tokens, progress))
            except OSError as error:
                complain(f"{file}: {_reason(error)}")
                unreadable += 1
    if as_json:
        out().print(msgspec.json.encode({"files": [as_data(each) for each in findings]}).decode(), soft_wrap=True)
    else:
        for finding in findings:
            _show(finding)
    return WRONG_CALL if unreadable else DONE if all(each.ok for each in findings) else FAILED


def examine(file: Path, rules: Rules, long_tokens: int, progressed: Progressed) -> Finding:
    """Read a file as the daemon would.

    Args:
        file: Its path.
        rules: By which it is checked.
        long_tokens: A `max_tokens` above this makes a request long.
        progressed: Told of every piece.

    Raises:
        OSError: It cannot be read.
    """
    stat = file.stat()
    if not S_ISREG(stat.st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    found = Finding(file)
    if inbox.ignored(file.name):
        found.cautions.append(Caution(0, "", "a file of this name is ignored in the inbox; rename it"))
    candidate = inbox.Candidate(PurePosixPath(file.name), stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_mode)
    if objection := inbox.objection(candidate):
        found.take(objection, long_tokens)
        return found

    def source() -> Iterator[bytes]:
        with os.fdopen(disk.open_regular(file.resolve()), "rb") as opened:
            while piece := opened.read(_CHUNK):
                progressed(opened.tell(), stat.st_size)
                yield piece

    for said in read(source, file.suffix, file.stem, rules):
        found.take(said, long_tokens)
    return found


def as_data(finding: Finding) -> dict[str, object]:
    """Tell of a file in the words of `batchd check --json`; a price that is not known is null.

    Args:
        finding: What it holds.
    """
    worst, about = finding.estimate.worst(), finding.estimate.about()
    return {
        "file": os.fsencode(finding.file).decode("utf-8", "replace"),
        "ok": finding.ok,
        "requests": finding.requests,
        "models": dict(finding.estimate.models),
        "betas": sorted(finding.betas),
        "long_requests": finding.long_requests,
        "errors": finding.problems,
        "error_count": finding.count,
        "cautions": finding.cautions,
        "worst_case_usd": _number(worst.batch),
        "worst_case_standard_usd": _number(worst.standard),
        "estimate_usd": _number(about.batch),
        "estimate_standard_usd": _number(about.standard),
    }


def _show(finding: Finding) -> None:
    console = out()
    errors = "1 error" if finding.count == 1 else f"{finding.count:,} errors"
    verdict = cell("ok", "green") if finding.ok else cell(f"would be rejected: {errors}", "bold red")
    facts = Table.grid(padding=(0, 2))
    facts.add_row(cell(str(finding.file), "bold"), verdict)
    models = ", ".join(f"{model} ({count:,})" for model, count in finding.estimate.models.most_common())
    facts.add_row("  requests", f"{finding.requests:,}")
    if finding.requests:
        worst, about = finding.estimate.worst(), finding.estimate.about()
        facts.add_row("  models", cell(models))
        facts.add_row("  betas", cell(", ".join(sorted(finding.betas)) or "none"))
        facts.add_row("  long answers", f"{finding.long_requests:,}")
        facts.add_row("  cost at most", f"{usd(worst.batch)} in batches, {usd(worst.standard)} without")
        facts.add_row("  with 4 bytes a token", f"{usd(about.batch)} in batches, {usd(about.standard)} without")
    console.print(facts)
    if finding.problems or finding.cautions:
        remarks = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("", "LINE", "FIELD", "MESSAGE"):
            remarks.add_column(column, justify="right" if column == "LINE" else "left", overflow="fold")
        for problem in finding.problems:
            remarks.add_row(cell("  error", "red"), _line(problem), cell(problem.field), cell(problem.message))
        for caution in finding.cautions:
            remarks.add_row(cell("  caution", "yellow"), _line(caution), cell(caution.field), cell(caution.message))
        console.print(remarks)
    if finding.count > len(finding.problems):
        console.print(f"  and {finding.count - len(finding.problems):,} more errors")
    console.print()


def _line(remark: Problem | Caution) -> str:
    return str(remark.line) if remark.line else ""


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _reason(error: OSError) -> str:
    if error.errno in disk.NOT_REGULAR:
        return "only regular files can be checked"
    return f"cannot be read: {error.strerror}"


@contextmanager
def _progress() -> Iterator[Progressed]:
    """Show how far the reading is, to a person, once it takes longer."""
    console = err()
    clock = Clock()
    began = clock.now()
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None, visible=False)

        def progressed(so_far: int, size: int) -> None:
            if clock.now() - began > _A_WHILE:
                bar.update(task, completed=so_far, total=size, visible=True)

        yield progressed

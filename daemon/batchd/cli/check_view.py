"""What `batchd check` prints of a file, for people."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from rich.table import Table
from rich.text import Text

from batchd.claude.price import from_picodollars
from batchd.cli.console import cell, err, is_narrow, out, usd
from batchd.cli.estimate import ENOUGH, Estimate, History
from batchd.cli.examining import Finding, Progressed, saving
from batchd.edges.clock import Clock
from batchd.model import Caution, Foreseen, Problem, total

_A_WHILE: Final = 1.0
"""Seconds after which progress is shown."""


def show(finding: Finding, history: History) -> None:
    """Print what a file holds and costs, with every error and caution."""
    console = out()
    errors = "1 error" if finding.reading.count == 1 else f"{finding.reading.count:,} errors"
    verdict = cell("ok", "green") if finding.ok else cell(f"would be rejected: {errors}", "bold red")
    facts = Table.grid(padding=(0, 2))
    file = cell(str(finding.file), "bold")
    if is_narrow():
        console.print(Text.assemble(file, "  ", verdict))
    else:
        facts.add_row(file, verdict)
    facts.add_row("  requests", f"{finding.reading.total:,}")
    if finding.reading.rejected:
        facts.add_row("  left out", cell(f"{finding.reading.rejected:,}, for errors of their own", "yellow"))
    for name, said in _facts(finding, history) if finding.reading.total else ():
        facts.add_row(f"  {name}", cell(said, "yellow" if name == "remark" else ""))
    console.print(facts)
    if finding.reading.problems or finding.reading.cautions:
        remarks = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("", "LINE", "FIELD", "MESSAGE"):
            remarks.add_column(column, justify="right" if column == "LINE" else "left", overflow="fold")
        for problem in finding.reading.problems:
            remarks.add_row(cell("  error", "red"), _line(problem), cell(problem.field), cell(problem.message))
        for caution in finding.reading.cautions:
            remarks.add_row(cell("  caution", "yellow"), _line(caution), cell(caution.field), cell(caution.message))
        console.print(remarks)
    if finding.reading.count > len(finding.reading.problems):
        console.print(f"  and {finding.reading.count - len(finding.reading.problems):,} more errors")
    console.print()


def in_all(findings: Sequence[Finding], *, sandbox: bool) -> str:
    """Sum up several files."""
    told = partial(usd, sandbox=sandbox)
    requests = sum(finding.reading.total for finding in findings)
    worst = total(finding.estimate.worst().charged for finding in findings)
    about = total(finding.estimate.about().charged for finding in findings)
    costs = "cost unknown" if worst is None else f"at most {told(worst)}, about {told(about)}"
    return f"in all: {len(findings):,} files, {requests:,} requests, {costs}"


def charge_of(finding: Finding, history: History) -> str:
    """Say in a line what a file costs, at the most, and by what came of such requests before."""
    told = partial(usd, sandbox=history.sandbox)
    worst, usual = finding.estimate.worst().charged, finding.estimate.expected(history).median
    if worst is None:
        return "cost unknown"
    return f"at most {told(worst)}" if usual is None else f"likely {told(usual)}, at most {told(worst)}"


@contextmanager
def progress() -> Iterator[Progressed]:
    """Show on a terminal how far the reading is, once it takes longer."""
    console = err()
    if not console.is_terminal:
        yield lambda _so_far, _size: None
        return
    from rich.progress import (  # noqa: PLC0415  as much as all the rest of rich, for a terminal alone
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    clock = Clock()
    began = clock.now()
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None, visible=False)

        def progressed(so_far: int, size: int) -> None:
            if clock.now() - began > _A_WHILE:
                bar.update(task, completed=so_far, total=size, visible=True)

        yield progressed


def _facts(finding: Finding, history: History) -> Iterator[tuple[str, str]]:
    """Tell of a file what is not as a matter of course."""
    yield "models", ", ".join(f"{model} ({count:,})" for model, count in finding.estimate.models.most_common())
    if finding.betas:
        yield "betas", ", ".join(sorted(finding.betas))
    if finding.long_requests:
        yield "long answers", f"{finding.long_requests:,}"
    if finding.sync_requests:
        yield "at once", f"{finding.sync_requests:,}, by lane sync at the full price"
    if finding.estimate.continued:
        yield "continued", _continued(finding.estimate)
    for each in finding.foreseen:
        yield f"then {each.step}", _foreseen(each, sandbox=history.sandbox)
    yield from _costs(finding.estimate, history)
    yield from (("cache", reason) for reason in finding.caching)
    if advice := finding.advice(sandbox=history.sandbox):
        yield "remark", advice


def _foreseen(each: Foreseen, *, sandbox: bool) -> str:
    worst = "an unknown sum" if each.worst is None else usd(from_picodollars(each.worst), sandbox=sandbox)
    many = "a request" if each.counted else "a request for each entry of a list"
    return f"{many}, of at most {worst}{'' if each.counted else '; the budget bounds how many'}"


def _continued(estimate: Estimate) -> str:
    times = "once" if estimate.rounds == 1 else f"up to {estimate.rounds} times"
    return f"{estimate.continued:,} of {estimate.models.total():,} answers, {times}, when cut short"


def _costs(estimate: Estimate, history: History) -> Iterator[tuple[str, str]]:
    """Say what a file costs, as far as that is known."""
    worst, about = estimate.worst(), estimate.about()
    if worst.charged is None or about.charged is None:
        yield "cost", f"unknown: there is no price for {', '.join(estimate.unpriced)}; under a budget it is held"
        return
    told = partial(usd, sandbox=history.sandbox)
    bound = (
        "the budget, since a list decides how much is asked" if estimate.budget else "which a budget must have room for"
    )
    yield "cost at most", f"{told(worst.charged)}, {bound}"
    beside = ", what a list decides aside" if estimate.budget else ""
    yield "about", f"{told(about.charged)}{beside} if each answer takes its whole max_tokens, once"
    yield "without batches", f"{told(about.standard)} for the same: {told(saving(about))} saved"
    yield "usually", _usually(estimate, history)


def _usually(estimate: Estimate, history: History) -> str:
    """Say what such requests came to, or why nothing can be said."""
    if history.trouble:
        return f"not known: {history.trouble}"
    expected = estimate.expected(history)
    if expected.answers < ENOUGH:
        return f"not known: {expected.answers} answers to such requests are recorded, {ENOUGH} are needed"
    whose = "answers of the sandbox" if history.sandbox else "answers"
    told = partial(usd, sandbox=history.sandbox)
    lengths = (
        f"{told(expected.median)} with answers of the median length, {told(expected.high)} of the 95th percentile's"
    )
    return f"{lengths}: by {expected.answers:,} {whose} to such requests"


def _line(remark: Problem | Caution) -> str:
    return str(remark.line) if remark.line else ""

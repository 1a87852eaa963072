"""`batchd check`: validate and price files offline, by the same rules as the daemon."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import Annotated, Final

import msgspec
import typer
from rich.table import Table

from batchd.cli.console import cell, data, err, hush_libraries, out, usd
from batchd.cli.estimate import ENOUGH, Estimate, History, Kind, percentile, read_history
from batchd.cli.exit_codes import DONE, FAILED, WRONG_CALL, complain
from batchd.cli.instructed import instructions_for
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.bundle.contents import is_bundle
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.report import rehearsal
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.reader import read
from batchd.edges import disk, inbox
from batchd.edges.clock import Clock
from batchd.edges.pdf import PdfReader
from batchd.journey.reading import Reading, rules_of, said_of_bundle
from batchd.model import Caution, Cost, Entry, Lane, Problem, total
from batchd.text import litter

_CHUNK: Final = 1 << 19
_A_WHILE: Final = 1.0
"""Seconds after which progress is shown."""
_MANY: Final = 100
"""Requests from which on a batch pays whatever their length, by the rule of thumb in docs/costs.md."""

Progressed = Callable[[int, int], None]
"""Called with the bytes of a file that have been read, and the bytes that there are."""


@dataclass(slots=True)
class Finding:
    """What a file holds: requests, errors, cautions, costs."""

    file: Path
    reading: Reading = field(default_factory=Reading)
    betas: set[str] = field(default_factory=set)
    long_requests: int = 0
    sync_requests: int = 0
    """Requests of the sync lane."""
    estimate: Estimate = field(default_factory=Estimate)
    show: int | None = None
    shown: Entry | None = None
    """The request of that number."""

    @property
    def ok(self) -> bool:
        """Whether the daemon would take it."""
        return self.reading.count == 0

    def advice(self, *, sandbox: bool) -> str | None:
        """A remark on the chosen lane; None where it is a good choice (docs/costs.md)."""
        total, about = self.reading.total, self.estimate.about()
        if total and not self.sync_requests and not self.long_requests and total <= _MANY:
            saving = f"{usd(about.charged, sandbox=sandbox)} instead of {usd(about.standard, sandbox=sandbox)}"
            return f"short and few: a batch may take 24 hours, for {saving}; lane sync answers in seconds to minutes"
        if self.sync_requests > _MANY:
            return f"{self.sync_requests:,} requests go by lane sync: as batches they would cost half, if they can wait"
        return None

    @property
    def caching(self) -> list[str]:
        """The decisions about the prompt cache, with their numbers; empty without `cache: auto`."""
        return list(self.reading.priming.reasons) if self.reading.priming else []

    def take(self, said: Said, rules: Rules) -> None:
        """Count a request or a remark of the file."""
        self.reading.take(said, rules)
        if isinstance(said, Entry):
            if self.reading.total == self.show:
                self.shown = said
            self.betas.update(said.betas)
            self.long_requests += said.max_tokens > rules.long_tokens
            self.sync_requests += said.wishes.lane is Lane.SYNC
            self.estimate.add(said, rules.catalogue)


@takes_settings
def check(
    chosen: Chosen,
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Job files, and folders NAME.job, as they would be dropped.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    prompt: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask this of the files, whatever their folder says.", show_default=False),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Print the Nth request as it would be sent.", show_default=False),
    ] = None,
) -> int:
    """Validate and price files offline: nothing is spent, or touched.

    What a .batchd.md in the folder of a file says holds here too, and in the
    inbox that of the nearest folder above.

    Every error is shown with its line and field, by the rules by which the
    daemon rejects a file. The cost is shown three times: the worst case, which
    the daemon reserves (a token for each byte of input, every answer as long
    as it may be, every round of its continuation); an estimate (four bytes a
    token, every answer as long as its max_tokens, none continued), with what
    that saves against the synchronous price; and, where at least 20 similar
    requests were answered before, what they cost.

    [bold]Examples[/bold]
      batchd check questions.jsonl handbook.md
      batchd check --json questions.jsonl | jq '.files[].worst_case_usd'
      batchd check --prompt classify.md --show 1 tickets.csv

    [bold]Exit codes[/bold] 0 every file would be taken; 1 one would be
    rejected; 2 one cannot be read.
    """
    hush_libraries()
    settings = chosen.settings()
    rules = replace(rules_of(settings), now=Clock().now())
    findings: list[Finding] = []
    unreadable = 0
    with _progress() as progress:
        for file in files:
            try:
                said = instructions_for(file, prompt, settings.inbox, rules)
                findings.append(examine(file, rules, progress, said, show))
            except OSError as error:
                complain(f"{file}: {_reason(error)}")
                unreadable += 1
    if show is not None and not unreadable:
        return _print_request(findings, show)
    kinds = dict.fromkeys(kind for finding in findings for kind in finding.estimate.kinds)
    history = read_history(settings.state, kinds)
    if as_json:
        told = [as_data(each, history) for each in findings]
        out().print(data({**rehearsal(sandbox=history.sandbox), "files": told}), soft_wrap=True)
    else:
        for finding in findings:
            _show(finding, history)
        if len(findings) > 1:
            out().print(cell(_in_all(findings, sandbox=history.sandbox), "bold"))
    return WRONG_CALL if unreadable else DONE if all(each.ok for each in findings) else FAILED


def _print_request(findings: Sequence[Finding], number: int) -> int:
    for finding in findings:
        for problem in finding.reading.problems:
            complain(f"{finding.file}: line {problem.line}: {problem.message}")
        if (entry := finding.shown) is None:
            complain(f"{finding.file}: there is no request {number:,}")
        else:
            request = {"custom_id": entry.custom_id, "params": msgspec.Raw(entry.params)}
            out().print(msgspec.json.format(msgspec.json.encode(request)).decode(), soft_wrap=True, markup=False)
    return DONE if all(each.ok and each.shown for each in findings) else FAILED


def examine(
    file: Path,
    rules: Rules,
    progressed: Progressed,
    prompt: PromptFile | list[Problem] | None = None,
    show: int | None = None,
) -> Finding:
    """Read a file as the daemon would.

    Args:
        progressed: Told of every piece.
        prompt: What is to be done with it, or what is wrong with that.
        show: The number of the request that is to be shown.

    Raises:
        OSError: It cannot be read.
    """
    stat = file.stat()
    found = Finding(file, show=show)
    if isinstance(prompt, list):
        found.reading.problems, found.reading.count = prompt, len(prompt)
        return found
    if S_ISDIR(stat.st_mode) and is_bundle(file.name):
        for said in said_of_bundle(file.resolve(), file.stem, rules):
            found.take(said, rules)
        found.reading.conclude()
        return found
    if not S_ISREG(stat.st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    found.reading.cautions += _passed_over(file.name)
    candidate = inbox.Candidate(PurePosixPath(file.name), stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_mode)
    if objection := inbox.objection(candidate):
        found.take(objection, rules)
        return found

    def source() -> Iterator[bytes]:
        with os.fdopen(disk.open_regular(file.resolve()), "rb") as opened:
            while piece := opened.read(_CHUNK):
                progressed(opened.tell(), stat.st_size)
                yield piece

    with PdfReader() as pdfs:
        for said in read(source, PurePosixPath(file.name), replace(rules, count_pages=pdfs.pages), prompt):
            found.take(said, rules)
    found.reading.conclude()
    return found


def _passed_over(name: str) -> Iterator[Caution]:
    if litter.ignored(name):
        why = "a sync tool's copy of a conflict" if litter.conflict_copy(name) else "a file of this name"
        yield Caution(0, "", f"{why} is ignored in the inbox; rename it if it is to be sent")


def as_data(finding: Finding, history: History) -> dict[str, object]:
    """Return what `batchd check --json` says of a file; a price that is not known is null.

    Args:
        history: How long earlier answers were.
    """
    worst, about = finding.estimate.worst(), finding.estimate.about()
    expected = finding.estimate.expected(history)
    return {
        "file": os.fsencode(finding.file).decode("utf-8", "replace"),
        **rehearsal(sandbox=history.sandbox),
        "ok": finding.ok,
        "requests": finding.reading.total,
        "rejected": finding.reading.rejected,
        "models": dict(finding.estimate.models),
        "betas": sorted(finding.betas),
        "long_requests": finding.long_requests,
        "sync_requests": finding.sync_requests,
        "continued_requests": finding.estimate.continued,
        "errors": finding.reading.problems,
        "error_count": finding.reading.count,
        "cautions": finding.reading.cautions,
        "worst_case_usd": _number(worst.charged),
        "worst_case_standard_usd": _number(worst.standard),
        "estimate_usd": _number(about.charged),
        "estimate_standard_usd": _number(about.standard),
        "estimate_saving_usd": _number(_saving(about)),
        "history": [_known(kind, history) for kind in finding.estimate.kinds if history.lengths.get(kind)],
        "history_of_sandbox": history.sandbox,
        "expected_usd": _number(expected.median),
        "expected_p95_usd": _number(expected.high),
        "cache": finding.caching,
        "advice": finding.advice(sandbox=history.sandbox),
    }


def _known(kind: Kind, history: History) -> dict[str, object]:
    lengths = history.lengths[kind]
    return {
        "model": kind.model,
        "max_tokens_from": kind.least,
        "max_tokens_to": kind.most,
        "answers": len(lengths),
        "median_output_tokens": percentile(lengths, 50),
        "p95_output_tokens": percentile(lengths, 95),
    }


def _show(finding: Finding, history: History) -> None:
    console = out()
    errors = "1 error" if finding.reading.count == 1 else f"{finding.reading.count:,} errors"
    verdict = cell("ok", "green") if finding.ok else cell(f"would be rejected: {errors}", "bold red")
    facts = Table.grid(padding=(0, 2))
    facts.add_row(cell(str(finding.file), "bold"), verdict)
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
    yield from _costs(finding.estimate, history)
    yield from (("cache", reason) for reason in finding.caching)
    if advice := finding.advice(sandbox=history.sandbox):
        yield "remark", advice


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
    yield "cost at most", f"{told(worst.charged)}, which a budget must have room for"
    yield "about", f"{told(about.charged)} if each answer takes its whole max_tokens, once"
    yield "without batches", f"{told(about.standard)} for the same: {told(_saving(about))} saved"
    yield "usually", _usually(estimate, history)


def _in_all(findings: Sequence[Finding], *, sandbox: bool) -> str:
    """Sum up several files."""
    told = partial(usd, sandbox=sandbox)
    requests = sum(finding.reading.total for finding in findings)
    worst = total(finding.estimate.worst().charged for finding in findings)
    about = total(finding.estimate.about().charged for finding in findings)
    costs = "cost unknown" if worst is None else f"at most {told(worst)}, about {told(about)}"
    return f"in all: {len(findings):,} files, {requests:,} requests, {costs}"


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


def _saving(cost: Cost) -> Decimal | None:
    return None if cost.charged is None or cost.standard is None else cost.standard - cost.charged


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

"""Examining: a file is read as the daemon would read it, and what it holds is told."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import Final

from batchd.claude.price import from_picodollars
from batchd.cli.console import usd
from batchd.cli.estimate import Estimate, History, Kind, percentile
from batchd.decisions.bundle.contents import is_bundle
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.report import rehearsal
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.reader import read
from batchd.edges import disk, inbox
from batchd.edges.pdf import PdfReader
from batchd.journey.reading import Reading, said_of_bundle
from batchd.model import Caution, Cost, Entry, Foreseen, Lane, Problem, Terms
from batchd.text import litter

_CHUNK: Final = 1 << 19
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
    foreseen: tuple[Foreseen, ...] = ()
    """What later steps ask."""

    @property
    def ok(self) -> bool:
        """Whether the daemon would take it."""
        return self.reading.count == 0

    def advice(self, *, sandbox: bool) -> str | None:
        """A remark on the chosen lane; None where it is a good choice (docs/costs.md)."""
        total, about = self.reading.total, self.estimate.about()
        if total and not self.foreseen and not self.sync_requests and not self.long_requests and total <= _MANY:
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
        elif isinstance(said, Terms) and said.foreseen:
            self.foreseen = said.foreseen
            self.estimate.foresee(said.foreseen, said.budget, rules.catalogue)


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
        "estimate_saving_usd": _number(saving(about)),
        "history": [_known(kind, history) for kind in finding.estimate.kinds if history.lengths.get(kind)],
        "history_of_sandbox": history.sandbox,
        "expected_usd": _number(expected.median),
        "expected_p95_usd": _number(expected.high),
        "cache": finding.caching,
        "advice": finding.advice(sandbox=history.sandbox),
        **_steps(finding),
    }


def _steps(finding: Finding) -> dict[str, object]:
    """What of it is asked later, of what is answered before."""
    if not finding.foreseen:
        return {}
    later = [
        {
            "step": each.step,
            "model": each.entry.model,
            "requests": 1 if each.counted else None,
            "worst_case_usd": None if each.worst is None else float(from_picodollars(each.worst)),
        }
        for each in finding.foreseen
    ]
    return {"later_steps": later, "bounded_by_budget": finding.estimate.budget is not None}


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


def saving(cost: Cost) -> Decimal | None:
    """What batches save; None where a price is not known."""
    return None if cost.charged is None or cost.standard is None else cost.standard - cost.charged


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)

"""The scribe: copies the requests of a claimed file, checked, into the spool, and keeps beside it what the store needs.

What it writes counts only from the commit on that accepts the job; until then it may be written again, the same.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec

from batchd.claude.cache_marks import marked
from batchd.claude.price import to_picodollars
from batchd.decisions.bundle.reader import LISTING, listing
from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.money.shared_beginnings import Priming
from batchd.decisions.money.worst_case import Bounds
from batchd.decisions.rows import rejects
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.edges.claims import Along, Claim
from batchd.edges.spool import SpoolWriter, append_to_spool, read_at
from batchd.edges.store import NewRequest
from batchd.edges.store.requests import SLICE
from batchd.journey.reading import Reading, may_be_cached, said_of
from batchd.model import Entry, Reject, Steps
from batchd.text import typed
from batchd.text.strictjson import encode

INDEX = ".index"
"""How the name of an index ends."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The two files that a claimed file becomes."""

    folder: Path
    """Of the spool."""
    claim: str

    @property
    def params(self) -> Path:
        """Of every request, one a line."""
        return self.folder / self.claim

    @property
    def index(self) -> Path:
        """What the store is to know of each, one a line, where that is too much for one commit; gone once it does."""
        return self.folder / f"{self.claim}{INDEX}"

    def indexed(self) -> Generator[NewRequest]:
        """Read the index, row by row."""
        decoder = typed.decoder(NewRequest)
        with self.index.open("rb") as rows:
            for row in rows:
                yield decoder.decode(row)

    def discard(self) -> None:
        """Remove both, if they are there."""
        self.params.unlink(missing_ok=True)
        self.discard_index()

    def discard_index(self) -> None:
        """Remove it, if it is there."""
        self.index.unlink(missing_ok=True)


class _Index:
    """Takes up what the store is to know of each request: as many as one commit takes, or else a file of all."""

    def __init__(self, path: Path, first: list[NewRequest]) -> None:
        self._path = path
        self._first = first
        self._encode = msgspec.json.Encoder().encode
        self._file: SpoolWriter | None = None

    def add(self, row: NewRequest) -> None:
        if len(self._first) < SLICE:
            self._first.append(row)
            return
        if self._file is None:
            self._file = SpoolWriter(self._path)
            for each in self._first:
                self._file.add(self._encode(each))
        self._file.add(self._encode(row))

    def finish(self) -> None:
        if self._file is not None:
            self._file.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.__exit__(None, None, None)


def copy(claim: Claim, rules: Rules, to: Copy, prompt: PromptFile | None = None, *, sync: bool = True) -> Reading:
    """Check a file, and write its requests down.

    Args:
        claim: A regular file, or a bundle.
        rules: By which it is checked.
        to: Where.
        prompt: What is to be done with it; None where nobody has said.
        sync: Whether the params are durable afterwards; otherwise that is the caller's to do.
    """
    found = Reading()
    bounds = Bounds(rules.catalogue)
    with SpoolWriter(to.params) as params, _Index(to.index, found.rows) as rows, Along(claim) as along:
        for said in said_of(claim, rules, prompt):
            found.take(said, rules)
            if isinstance(said, Entry):
                step = None if found.terms.steps is None else 0
                rows.add(new_request(said, bounds.of(said), *params.add(said.params), step=step))
            elif isinstance(said, Reject):
                _leave_out(said, along)
        for piece in listing(found.terms.listing) if found.terms.listing else ():
            along.write(LISTING, piece)
        params.finish(sync=sync)
        rows.finish()
        along.finish()
    found.conclude()
    if (priming := found.priming) and priming.places and not found.count:
        _mark(found, to, priming, sync=sync)
    if found.terms.steps is not None and not found.count:
        _keep_script(found, to, found.terms.steps)
    return found


def _keep_script(found: Reading, to: Copy, steps: Steps) -> None:
    """Write what the steps of a job ask behind its first requests, and note where; durable afterwards."""
    script = found.terms.script
    offset = append_to_spool(to.params, script)
    found.terms = replace(found.terms, steps=msgspec.structs.replace(steps, offset=offset, size=len(script)))


def _leave_out(rejected: Reject, along: Along) -> None:
    """Write down what is left out, for whoever puts it right."""
    along.write(rejects.REJECTS, rejects.line_of(rejected))
    if rejected.columns:
        if not along.has(rejects.TABLE):
            along.write(rejects.TABLE, rejects.header_of(rejected))
        along.write(rejects.TABLE, rejects.row_of(rejected))


def _mark(found: Reading, copied: Copy, priming: Priming, *, sync: bool) -> None:
    """Write the copy again, with the breakpoints that were decided on."""
    again = Copy(copied.folder, f"{copied.claim}.marked")
    before = copied.indexed() if found.total > len(found.rows) else iter(found.rows)
    found.rows = []
    with (
        copied.params.open("rb") as spooled,
        SpoolWriter(again.params) as params,
        _Index(again.index, found.rows) as rows,
    ):
        for row in before:
            text = read_at(spooled, row.offset, row.size)
            request = msgspec.json.decode(text)
            primed = priming.find(request, row.betas) if may_be_cached(row.wishes) else None
            if primed is not None:
                text = encode(marked(request, primed.depth))
            offset, size = params.add(text)
            first = primed.first if primed else None
            rows.add(row._replace(offset=offset, size=size, first=first))
        params.finish(sync=sync)
        rows.finish()
    again.params.replace(copied.params)
    if found.total > len(found.rows):
        again.index.replace(copied.index)


def new_request(entry: Entry, worst: int | None, offset: int, size: int, *, step: int | None = None) -> NewRequest:
    """What the store is to know of a request whose params lie in the spool."""
    return NewRequest(
        custom_id=entry.custom_id,
        name=entry.name,
        model=entry.model,
        max_tokens=entry.max_tokens,
        betas=entry.betas,
        version=entry.version,
        offset=offset,
        size=size,
        budget=to_picodollars(entry.budget),
        rounds=entry.rounds,
        wishes=entry.wishes,
        worst=worst,
        step=step,
    )

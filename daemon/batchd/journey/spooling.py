"""The scribe: copies the requests of a claimed file, checked, into the spool, and keeps beside it what the store needs.

What it writes counts only from the commit on that accepts the job; until then it may be written again, the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from batchd.claude.cache_marks import marked
from batchd.claude.catalogue import Catalogue
from batchd.claude.price import to_picodollars
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.money.shared_beginnings import Beginnings, Priming
from batchd.decisions.money.worst_case import Bounds
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.reader import read
from batchd.edges import attachments, claims, disk
from batchd.edges.claims import Claim
from batchd.edges.rejected import MAX_PROBLEMS
from batchd.edges.spool import SpoolWriter, read_at
from batchd.edges.store import NewRequest
from batchd.model import Caution, Entry, Lane, Problem, Terms, Wishes
from batchd.settings import Settings
from batchd.text.strictjson import encode

INDEX = ".index"
"""How the name of an index ends."""


def rules_of(settings: Settings) -> Rules:
    """Say by which rules files are checked."""
    return Rules(
        model=settings.defaults.model,
        max_tokens=settings.defaults.max_tokens,
        betas=settings.api.betas,
        catalogue=Catalogue().with_overrides(settings.models),
        long_tokens=settings.batch.long_tokens,
        max_job_bytes=settings.intake.max_job_bytes,
        rows_max_tokens=settings.defaults.rows_max_tokens,
        gather=partial(attachments.gather, settings.attach.folders) if settings.attach.folders else None,
    )


@dataclass(slots=True)
class Reading:
    """What reading a file came to."""

    total: int = 0
    """Requests."""
    problems: list[Problem] = field(default_factory=list)
    """The first of them."""
    count: int = 0
    """All of them."""
    cautions: list[Caution] = field(default_factory=list)
    terms: Terms = field(default_factory=Terms)
    _beginnings: Beginnings | None = None

    @property
    def priming(self) -> Priming | None:
        """What is decided about the prompt cache, once all is read; None where nobody asked for it."""
        return self._beginnings.decide() if self._beginnings else None

    def take(self, said: Said, rules: Rules) -> None:
        """Note one thing that the file says.

        Args:
            said: A request, or a remark.
            rules: By which it is checked.
        """
        match said:
            case Entry():
                if _may_be_cached(said.wishes):
                    self._beginnings = self._beginnings or Beginnings(rules.long_tokens)
                    self._beginnings.add(self.total, said.params, said.betas)
                self.total += 1
            case Problem():
                self.count += 1
                if len(self.problems) < MAX_PROBLEMS:
                    self.problems.append(said)
            case Caution():
                self.cautions.append(said)
            case Terms():
                self.terms = said


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
        """What the store is to know of each, one a line; gone once it does."""
        return self.folder / f"{self.claim}{INDEX}"

    def rows(self) -> Iterator[NewRequest]:
        """Read the index, row by row."""
        decoder = msgspec.json.Decoder(NewRequest)
        with self.index.open("rb") as rows:
            for row in rows:
                yield decoder.decode(row)

    def discard_index(self) -> None:
        """Remove it, if it is there."""
        self.index.unlink(missing_ok=True)


def copy(claim: Claim, rules: Rules, to: Copy, prompt: PromptFile | None = None) -> Reading:
    """Check a file, and write its requests down.

    Args:
        claim: A regular one.
        rules: By which it is checked.
        to: Where.
        prompt: What is to be done with it; None where nobody has said.
    """

    def source() -> Iterator[bytes]:
        with claims.open_claim(claim) as file:
            for chunk in claims.chunks(file):
                disk.stop_if_told()
                yield chunk

    found = Reading()
    bounds = Bounds(rules.catalogue)
    encode_row = msgspec.json.Encoder().encode
    with SpoolWriter(to.params) as params, SpoolWriter(to.index) as rows:
        for said in read(source, claim.called, rules, prompt):
            found.take(said, rules)
            if isinstance(said, Entry):
                rows.add(encode_row(_new_request(said, bounds.of(said), *params.add(said.params))))
        params.finish()
        rows.finish()
    if (priming := found.priming) and priming.places and not found.count:
        _mark(to, priming)
    return found


def _mark(copied: Copy, priming: Priming) -> None:
    """Write the copy again, with the breakpoints that were decided on."""
    again = Copy(copied.folder, f"{copied.claim}.marked")
    with copied.params.open("rb") as spooled, SpoolWriter(again.params) as params, SpoolWriter(again.index) as rows:
        for row in copied.rows():
            text = read_at(spooled, row.offset, row.size)
            request = msgspec.json.decode(text)
            found = priming.find(request, row.betas) if _may_be_cached(row.wishes) else None
            if found is not None:
                text = encode(marked(request, found.depth))
            offset, size = params.add(text)
            first = found.first if found else None
            rows.add(msgspec.json.encode(row._replace(offset=offset, size=size, first=first)))
        params.finish()
        rows.finish()
    again.params.replace(copied.params)
    again.index.replace(copied.index)


def _may_be_cached(wishes: Wishes) -> bool:
    """Whether a request may wait for another to leave in the cache what both begin with."""
    return wishes.cache == "auto" and wishes.lane is Lane.BATCH


def _new_request(entry: Entry, worst: int | None, offset: int, size: int) -> NewRequest:
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
    )

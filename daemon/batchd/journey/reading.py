"""What a claim says, whatever it is: a file, by itself or by the instructions of its folder, or a bundle.

`batchd check` reads with it as the daemon does, and has no need of the store.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from batchd.claude.catalogue import Catalogue
from batchd.decisions.bundle import reader as bundle_reader
from batchd.decisions.bundle.files import Files
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.money.shared_beginnings import Beginnings, Priming
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.decisions.rows.reader import read
from batchd.edges import attachments, bundles, claims, disk
from batchd.edges.claims import Claim
from batchd.edges.pdf import PdfReader
from batchd.edges.rejected import MAX_PROBLEMS
from batchd.errors import Rejected
from batchd.model import Caution, Entry, Lane, Problem, Readers, Reject, Terms, Wishes
from batchd.settings import Settings

if TYPE_CHECKING:
    from batchd.edges.store import NewRequest


def rules_of(settings: Settings) -> Rules:
    """Say by which rules files are checked."""
    return Rules(
        model=settings.defaults.model,
        max_tokens=settings.defaults.max_tokens,
        betas=settings.api.betas,
        catalogue=Catalogue().with_overrides(settings.models).with_aliases(settings.aliases),
        long_tokens=settings.batch.long_tokens,
        max_job_bytes=settings.intake.max_job_bytes,
        rows_max_tokens=settings.defaults.rows_max_tokens,
        sinks=frozenset(name for name, sink in settings.notify.sinks.items() if sink.ping is None),
        readers=Readers(settings.results.readers, settings.results.group or None),
        groups=settings.results.groups,
        folder_groups={name: folder.group for name, folder in settings.folder.items() if folder.group},
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
    rejected: int = 0
    """Requests that were left out."""
    terms: Terms = field(default_factory=Terms)
    notify: frozenset[str] = frozenset()
    """The sinks that its requests name."""
    _of_rejected: list[Problem] = field(default_factory=list)
    """What is wrong with those; the first of it."""
    _count_of_rejected: int = 0
    rows: "list[NewRequest]" = field(default_factory=list)
    """What the store is to know of the first of them: of all of them, unless there is an index."""
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
                if may_be_cached(said.wishes):
                    self._beginnings = self._beginnings or Beginnings(rules.long_tokens)
                    self._beginnings.add(self.total, said.params, said.betas)
                self.total += 1
                if said.wishes.notify:
                    self.notify |= frozenset(said.wishes.notify)
            case Problem():
                self.count += 1
                if len(self.problems) < MAX_PROBLEMS:
                    self.problems.append(said)
            case Caution():
                self.cautions.append(said)
            case Reject():
                self.rejected += 1
                self._count_of_rejected += len(said.problems)
                self._of_rejected += said.problems[: MAX_PROBLEMS - len(self._of_rejected)]
            case Terms():
                self.terms = said

    def conclude(self) -> None:
        """Refuse a file of which nothing is left: then it is no use to leave anything out."""
        if self.rejected and not self.total and not self.count:
            self.problems, self.count, self.rejected = self._of_rejected, self._count_of_rejected, 0


def may_be_cached(wishes: Wishes) -> bool:
    """Whether a request may wait for another to leave in the cache what both begin with."""
    return wishes.cache == "auto" and wishes.lane is Lane.BATCH


def said_of(claim: Claim, rules: Rules, prompt: PromptFile | None) -> Iterator[Said]:
    """Read a claim, whatever it is.

    Raises:
        Rejected: It cannot be opened.
        OSError: The disk's fault.
    """
    if claim.is_bundle:
        yield from said_of_bundle(claim.path, claim.called.stem, rules, prompt)
        return

    def source() -> Iterator[bytes]:
        with claims.open_claim(claim) as file:
            for chunk in claims.chunks(file):
                disk.stop_if_told()
                yield chunk

    with PdfReader() as pdfs:
        yield from read(source, claim.called, replace(rules, count_pages=pdfs.pages), prompt)


def said_of_bundle(path: Path, name: str, rules: Rules, folder: PromptFile | None = None) -> Iterator[Said]:
    """Read a bundle, unless something lies in it that may not.

    Args:
        path: Of the folder, below folders that are trusted.
        name: Its own, without the ending.
        folder: The instructions of the folder that it was dropped into, whose bounds hold for it.

    Raises:
        Rejected: It cannot be looked into.
        OSError: The disk's fault.
    """
    try:
        if folder is not None and not folder.wants(path.name):
            takes = ", ".join(folder.own.takes)
            yield Problem(0, "", f"this folder takes what is named {takes} alone (takes of its .batchd.md)")
            return
        with bundles.opened(path) as bundle, PdfReader() as pdfs:
            contents = bundle.contents()
            yield from contents.problems
            if not contents.problems:
                files = Files(contents.files, bundle.read, bundle.pieces, pdfs.pages)
                ceiling = folder.budget if folder else None
                yield from bundle_reader.read(files, name, replace(rules, count_pages=pdfs.pages), ceiling)
    except PermissionError:
        raise Rejected([Problem(0, "", "the daemon may not read this folder: its rights forbid it")]) from None

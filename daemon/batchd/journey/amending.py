"""A finished job is put right: what comes back is checked against it, spooled, acknowledged, and applied when it opens.

Nothing of the job changes before the acknowledgement, which is one commit; what follows may be repeated. Until then a
mistake refuses all of it, and afterwards it is known by its claim.
"""

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec
from anyio import from_thread

from batchd.decisions.bundle import reader as bundle_reader
from batchd.decisions.bundle import replacements
from batchd.decisions.bundle.amendment import Amendable
from batchd.decisions.bundle.contents import prompt_of
from batchd.decisions.bundle.files import Files
from batchd.decisions.bundle.reader import FOLDER
from batchd.decisions.bundle.replacements import BEHIND, Known, LeftOut, Replacement
from batchd.decisions.jobfile.reader import Rules, Said
from batchd.decisions.money.worst_case import Bounds
from batchd.decisions.rows.prompt_file import AMENDS, LONGEST
from batchd.decisions.rows.records import id_column
from batchd.decisions.rows.rejects import REJECTS
from batchd.decisions.rows.table import read_table
from batchd.edges import bundles, claims, disk
from batchd.edges.bundles import Bundle
from batchd.edges.claims import Claim
from batchd.edges.durable import Together
from batchd.edges.outbox import JobFolder
from batchd.edges.pdf import PdfReader
from batchd.edges.spool import SpoolWriter, append_file_to_spool
from batchd.edges.store import Amendment, Change, Store
from batchd.edges.store.requests import SLICE
from batchd.errors import Rejected
from batchd.journey.places import Places
from batchd.journey.reading import Reading
from batchd.journey.spooling import Copy, new_request
from batchd.model import Entry, Job, Problem, Reject
from batchd.text import typed
from batchd.text.jsonscan import Broken
from batchd.text.strictjson import Json
from batchd.text.tickets import parted

GIVEN: Final = "amendments"
"""Where what was given lies in the job's folder, by its number."""
_MANY: Final = 200
"""Requests that are looked up at one time."""


class Amending:
    """Puts finished jobs right."""

    def __init__(self, store: Store, places: Places, rules: Rules, *, keep_bundle: bool = True) -> None:
        """Open the way.

        Args:
            store: Where amendments go.
            places: The folders.
            rules: By which requests are checked.
            keep_bundle: Whether what was given goes along to the job's folder.
        """
        self._store = store
        self._places = places
        self._rules = rules
        self._keep_bundle = keep_bundle

    def take(self, claim: Claim, name: str) -> tuple[Amendment, Job]:
        """Check an amendment, spool what it asks, and acknowledge it; in a worker thread.

        Args:
            name: Of the job.

        Raises:
            Rejected: It is not as it should be; nothing has changed.
        """
        folders = self._places.claims, self._places.inbox
        with Together(*folders) as durable:
            claims.secure([claim], durable, *folders)
        job = from_thread.run(amendable, self._store, name)
        if claim.uid not in {0, os.geteuid(), job.uid}:
            raise _refused(f"job {job.name} is another user's: whoever dropped it may amend it, and no other")
        copied = Copy(self._places.spool, claim.id)
        found = Reading()
        encode = msgspec.json.Encoder().encode
        bounds = Bounds(self._rules.catalogue)
        with SpoolWriter(copied.params) as params, SpoolWriter(copied.index) as index:
            for said in Given(self._store, self._places.outbox, job, claim.path, self._rules).read(found):
                request = new_request(said.entry, bounds.of(said.entry), *params.add(said.entry.params))
                index.add(encode(Change(request, said.replaces, said.left_out, said.place, said.record)))
            params.finish()
            index.finish()
        disk.sync_folder(self._places.spool)
        if found.count:
            raise Rejected(found.problems, found.count)
        accepted = from_thread.run(self._store.amendments.accept, claim.id, job, claim.ticket)
        if accepted is None:
            raise _refused(f"job {job.name} has changed meanwhile: see how it stands, and amend it then")
        return accepted, job

    def place(self, claim: Claim, amendment: Amendment, job: Job) -> None:
        """Move what was given to the job's folder."""
        if self._keep_bundle and claims.holds(claim):
            JobFolder(self._places.outbox, job.name).place_bundle(claim.path, f"{GIVEN}/{amendment.number}")
        claims.discard(claim)


def amends(claim: Claim) -> str | None:
    """The job that a bundle says it puts right; None where it says nothing of that."""
    if not claim.is_bundle:
        return None
    try:
        with bundles.opened(claim.path) as bundle:
            return amended_by(bundle.prompt() or b"")
    except OSError:  # told by whoever reads it next
        return None


def amended_by(prompt: bytes) -> str | None:
    """The job that a prompt says it puts right; None where it says nothing of that, or nothing that can be read."""
    if AMENDS.encode() not in prompt or len(prompt) > LONGEST:
        return None
    from batchd.decisions.jobfile.front_matter import read_prose  # noqa: PLC0415  YAML, which few files need

    try:
        said = read_prose(prompt.decode()).settings.get(AMENDS)
    except (Broken, UnicodeDecodeError):
        return None
    return said if isinstance(said, str) and said.strip() else None


async def amendable(store: Store, name: str) -> Job:
    """Find a job that can be put right.

    Raises:
        Rejected: There is none of that name, or it cannot be now.
    """
    job = await store.jobs.named(name.strip("/"))
    if job is None:
        raise _refused(f"there is no job {name!r}; amends names one as `batchd status` does")
    if not (job.delivered or job.step_bar is not None) or job.retry_wanted:
        raise _refused(f"job {job.name} has not finished: amend it when it has, or cancel it first")
    if job.pruned:
        raise _refused(f"of job {job.name} too much was removed for its age: drop its requests into the inbox again")
    if job.sandbox != await store.facts.of_sandbox():
        asked, here = ("a rehearsal", "the API") if job.sandbox else ("answered by the API", "the sandbox")
        raise _refused(f"job {job.name} was {asked}, and {here} answers now: drop its requests into the inbox again")
    return job


@dataclass(frozen=True, slots=True)
class Given:
    """What was given to put a job right, to be read in a worker thread."""

    store: Store
    outbox: Path
    job: Job
    path: Path
    """A folder, below folders that are trusted."""
    rules: Rules

    def read(self, found: Reading) -> Iterator[Replacement]:
        """Read it.

        Args:
            found: Takes up what is wrong with it, and what else is to be said.

        Yields:
            What each sound request becomes.
        """
        folder = JobFolder(self.outbox, self.job.name)
        with ExitStack() as opened:
            own = opened.enter_context(bundles.opened(self.path))
            contents = own.contents()
            for problem in contents.problems:
                found.take(problem, self.rules)
            if contents.problems:
                return
            kept, beneath = opened.enter_context(_kept(folder, contents.files))
            facts = _facts(self.store, self.job, folder, frozenset(beneath))
            pdfs = opened.enter_context(PdfReader())

            def of(path: str) -> Bundle:
                return kept if kept is not None and path in beneath else own

            files = Files(
                {**beneath, **contents.files},
                lambda path, most: of(path).read(path, most),
                lambda path: of(path).pieces(path),
                pdfs.pages,
            )
            rules = replace(self.rules, count_pages=pdfs.pages)
            said = bundle_reader.read(files, self.job.name, rules, None, facts)
            yield from self._decided(said, _standing(self.store, self.job, folder, facts.columns, own), found)

    def _decided(self, said: Iterable[Said], standing: replacements.Job, found: Reading) -> Iterator[Replacement]:
        waiting: list[Entry] = []
        for each in said:
            if isinstance(each, Entry):
                waiting.append(each)
                if len(waiting) == _MANY:
                    yield from self._decide(waiting, standing, found)
            elif isinstance(each, Reject):
                for problem in each.problems:
                    found.take(problem, self.rules)
            else:
                found.take(each, self.rules)
        yield from self._decide(waiting, standing, found)
        if not found.total and not found.count:
            found.take(Problem(0, "", "there is nothing in it to put right"), self.rules)

    def _decide(self, entries: list[Entry], standing: replacements.Job, found: Reading) -> Iterator[Replacement]:
        amendments, job = self.store.amendments, self.job.id
        known = from_thread.run(amendments.known, job, [each.custom_id for each in entries])
        names = from_thread.run(amendments.names, job, [each.name for each in entries])
        requests = {custom_id: Known(*of) for custom_id, of in known.items()}
        for entry in entries:
            decided = standing.decide(entry, requests, names)
            if isinstance(decided, Problem):
                found.take(decided, self.rules)
            else:
                found.take(decided.entry, self.rules)
                yield decided
        entries.clear()


def _facts(store: Store, job: Job, folder: JobFolder, beneath: frozenset[str]) -> Amendable:
    only = None if job.rows is not None else from_thread.run(store.amendments.only, job.id)
    if job.rows is None:
        return Amendable(only=only, beneath=beneath)
    inside = PurePosixPath(job.rows.file)
    in_bundle = inside.parts[0] == FOLDER and len(inside.parts) > 1
    called = inside.relative_to(FOLDER) if in_bundle else parted(PurePosixPath(job.source))[0]
    return Amendable(_columns(job, folder), called, None, beneath)


def _columns(job: Job, folder: JobFolder) -> tuple[str, ...]:
    """The columns of a job's table; none where its rows are no table, or that is gone."""
    if job.rows is None or job.rows.objects:
        return ()
    with folder.reading(job.rows.file) as table, suppress(Broken):
        if table is not None:
            suffix = PurePosixPath(job.rows.file).suffix
            return read_table(claims.chunks(table), suffix, job.rows.delimiter, job.rows.encoding).form.columns
    return ()


class _Told(msgspec.Struct):
    """A line of `rejects.jsonl`."""

    line: int = 0
    row: int | None = None
    custom_id: str | None = None


def _standing(store: Store, job: Job, folder: JobFolder, columns: tuple[str, ...], own: Bundle) -> replacements.Job:
    left_out: dict[int, LeftOut] = {}
    with folder.reading(REJECTS) as rejects:
        for line in rejects or ():
            with suppress(msgspec.MsgspecError):  # somebody has written into it
                told = typed.decode(line, _Told)
                place = told.row or told.line
                left_out[place] = LeftOut(place, told.custom_id or "")
    settings = _settings(own)
    return replacements.Job(
        name=job.name,
        left_out=left_out,
        id_column=(job.rows and id_column(job.rows.id, columns)) or "custom_id",
        columns=columns,
        of_rows=job.rows is not None,
        objects=job.rows is not None and job.rows.objects,
        of_steps=job.steps is not None,
        add=settings.get("add") is True,
        replace=settings.get("replace") is True,
        behind=from_thread.run(store.amendments.behind, job.id, BEHIND),
    )


def _settings(own: Bundle) -> dict[str, Json]:
    from batchd.decisions.jobfile.front_matter import read_prose  # noqa: PLC0415  YAML, which few files need

    with suppress(Broken, UnicodeDecodeError):
        return read_prose((own.prompt() or b"").decode()).settings
    return {}


@contextmanager
def _kept(folder: JobFolder, others: Container[str]) -> Iterator[tuple[Bundle | None, dict[str, int]]]:
    """Open the bundle that a job was, if it lies in the job's folder; with the sizes of its files, but for others."""
    with ExitStack() as opened:
        try:
            bundle = opened.enter_context(bundles.opened(folder.path / FOLDER))
        except OSError:
            yield None, {}
        else:
            files = bundle.contents().files
            prompt = prompt_of(files)
            yield bundle, {path: size for path, size in files.items() if path not in others and path != prompt}


def changes(spool: Path, amendment: Amendment) -> Iterator[Change]:
    """Read what an amendment does to the requests of its job."""
    decoder = typed.decoder(Change)
    with Copy(spool, amendment.claim).index.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def portions(found: Iterable[Change]) -> Iterator[Sequence[int]]:
    """The ids of the requests that are replaced, some hundreds at one time."""
    ids = (each.replaces for each in found if each.replaces is not None)
    while some := list(islice(ids, SLICE)):
        yield some


def add_params(spool: Path, amendment: Amendment, job: Job, reach: int) -> int:
    """Add the params of an amendment to the job's own, durably.

    Args:
        reach: Byte of the job's spool file behind which nothing of it lies.

    Returns:
        Where they begin; what a crash left before them is nobody's.
    """
    with Copy(spool, amendment.claim).params.open("rb") as given:
        return append_file_to_spool(spool / job.claim, given, reach)


def discard_params(spool: Path, amendment: Amendment) -> None:
    """Remove what the spool has of an amendment that was applied."""
    copied = Copy(spool, amendment.claim)
    with suppress(OSError):  # the next start sweeps the spool
        copied.discard()


def _refused(message: str) -> Rejected:
    return Rejected([Problem(0, AMENDS, message)])

"""From a claimed file to an accepted job: made durable, checked, spooled, named, committed, and placed in the outbox.

Small files go this way together, so that they share what costs most: two syncs and one commit, however many there are.
That way is for what is as it should be. Whatever is unusual about a file is left to its own turn, which tells what.
Each step may be repeated: what was done before the commit counts for nothing, and what follows it is only to be moved.

All of it runs in worker threads.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from stat import S_ISREG

import structlog
from anyio import from_thread

from batchd.claude.price import to_picodollars
from batchd.decisions.bundle.reader import FOLDER
from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.edges import bundles, claims, disk, inbox, readers
from batchd.edges.claims import Claim, Given
from batchd.edges.clock import Clock
from batchd.edges.durable import Together
from batchd.edges.outbox import JobFolder, choose_name
from batchd.edges.store import Arrival, Store
from batchd.edges.store.requests import SLICE
from batchd.errors import BatchdError, Defect, Rejected, Unavailable, Unusable
from batchd.journey import lost_life
from batchd.journey.instructions import prompt_of
from batchd.journey.reading import Reading
from batchd.journey.spooling import Copy, copy
from batchd.model import Ceiling, Job, Problem, Readers
from batchd.text import safepath
from batchd.trouble import Work

log = structlog.get_logger()

INSTRUCTIONS = "instructions.md"
"""What a job's folder says was asked."""
SMALL = 64_000
"""Bytes of a file that may go together with others: it is read in some milliseconds."""
PATIENCE = 2.0
"""Seconds of one small file, after which those behind it are read one by one: it takes longer than it should."""
_PAUSE = 0.25
"""How long, of the time that a commit took, another process may take the database before the next one of a large file.
SQLite has no queue for it: whoever waits asks ten times a second, and would miss a shorter moment again and again."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that is as it should be."""

    claim: Claim
    copied: Copy
    reading: Reading
    ceiling: Ceiling | None = None
    readers: Readers | None = None
    """Who may read what comes of it, as the instructions of its folder say it."""
    digest: str | None = None
    """Of what was dropped; None where nobody asks whether it came before."""


class Accepting:
    """Makes jobs of claimed files."""

    def __init__(  # noqa: PLR0913  the edges it works with, and its manner
        self,
        store: Store,
        clock: Clock,
        places: tuple[Path, Path, Path, Path],
        rules: Rules,
        *,
        keep_bundle: bool = True,
        duplicate_window: float = 0.0,
    ) -> None:
        """Open the way.

        Args:
            store: Where jobs go.
            clock: What moments are told by.
            places: The inbox, the outbox, the folder of claims, and the spool.
            rules: By which files are checked.
            keep_bundle: Whether a bundle goes along to its job's folder.
            duplicate_window: Seconds for which the same file again is held; 0 for never.
        """
        self._store = store
        self._clock = clock
        self._inbox, self._outbox, self._claims, self._spool = places
        self._rules = rules
        self._keep_bundle = keep_bundle
        self._duplicate_window = duplicate_window
        self._naming = threading.Lock()
        self._promised: set[str] = set()
        """Names of jobs that are being stored, letter case ignored."""

    def read(self, claim: Claim) -> Job:
        """Check a file and spool its params; then accept it.

        Returns:
            Its job; that of another claim where its ticket was accepted before.

        Raises:
            Rejected: It is not as it should be.
        """
        with Together(self._claims, self._inbox) as durable:
            claims.secure([claim], durable, self._claims, self._inbox)
        if not claim.is_bundle and (objection := inbox.objection(claim)):
            raise Rejected([objection])
        copied = Copy(self._spool, claim.id)
        lacking = False
        try:
            read = self._copy_whatever_it_is(claim, copied)
            reading = read.reading
            if reading.count:
                raise Rejected(reading.problems, reading.count)
            with self._named([claim], sync=True) as (name,):
                self._let_in(read, name)
                job = from_thread.run(self._store.arrivals.accept, self._arrival(read, name))
                if job.claim != claim.id:  # another's, with the same ticket
                    with suppress(OSError):
                        JobFolder(self._outbox, name).path.rmdir()
                    return job
            _tell(claim, reading, job)
            lacking = job.missing > 0
            return job
        finally:
            if not lacking:
                copied.discard_index()

    def place(self, claim: Claim, job: Job) -> None:
        """Move the file of an accepted job to the outbox, and what was to be done with it."""
        folder = JobFolder(self._outbox, job.name)
        if (text := _asked(claim)) is not None:
            folder.write_whole(INSTRUCTIONS, [text])
        for name in claims.going_along(claim):
            with claims.open_along(claim, name) as file:
                folder.write_whole(name, claims.chunks(file))
        try:
            self._place_dropped(claim, job, folder)
        except FileNotFoundError:
            if claims.holds(claim):
                raise
            # Another hand has removed it; what is to be sent lies in the spool, and goes on without it.
            log.warning("dropped file lost", job=job.name)
        claims.discard(claim)

    def _place_dropped(self, claim: Claim, job: Job, folder: JobFolder) -> None:
        if not claim.is_bundle:
            folder.place_request(claim.path, claim.called.suffix)
        elif self._keep_bundle:
            folder.place_bundle(claim.path)
        elif job.rows is not None:
            self._keep_table(claim, job.rows.file, folder)

    @staticmethod
    def _keep_table(claim: Claim, table: str, folder: JobFolder) -> None:
        """Keep the rows of a bundle that does not go along: their answers will be laid beside them."""
        inside = PurePosixPath(table)
        if inside.parts[0] == FOLDER and claims.holds(claim):
            with bundles.opened(claim.path) as bundle, suppress(FileNotFoundError):
                folder.write_whole(table, bundle.pieces(str(inside.relative_to(FOLDER))))

    def add(self, job: Job) -> None:
        """Store the requests that an accepted job lacks, slice by slice."""
        copied = Copy(self._spool, job.claim)
        with closing(copied.indexed()) as rows:
            for _ in islice(rows, job.total - job.missing):
                pass
            while job.missing:
                disk.stop_if_told()
                some = list(islice(rows, SLICE))
                if not some:
                    raise Unavailable(f"{copied.index} ends {job.missing} requests too early")
                began = self._clock.now()
                job = from_thread.run(partial(self._store.arrivals.add, job, some, now=began))
                from_thread.run(self._clock.sleep, (self._clock.now() - began) * _PAUSE)
        copied.discard_index()
        from_thread.run(self._store.database.give_back_log)

    def together(self, taken: Sequence[Claim]) -> list[Claim]:
        """Make jobs of small files that were just claimed, and place them in the outbox.

        Returns:
            Those that are to have turns of their own: also all that the disk or the database has refused.
        """
        own_turn: list[Claim] = []
        for found in _portions(self._read_all(taken, own_turn)):
            try:
                own_turn += self._accept_all(found)
            except Exception as error:  # noqa: BLE001  told in their own turns, which meet it again
                log.debug("accepted one by one", files=len(found), error=type(error).__name__)
                own_turn += (each.claim for each in found)
        return own_turn

    def _accept_all(self, found: Sequence[_Read]) -> list[Claim]:
        """Accept files in one commit, and place them; returns those that could not be placed."""
        with Together(self._outbox, self._spool, self._claims, self._inbox) as durable:
            with self._named([each.claim for each in found], sync=False) as names:
                for each, name in zip(found, names, strict=True):
                    durable.note(self._spool, PurePosixPath(each.claim.id))
                    for parent in PurePosixPath(name).parents:
                        durable.note(self._outbox, parent)
                    self._let_in(each, name)
                durable.note(self._spool)
                claims.secure([each.claim for each in found], durable, self._claims, self._inbox)
                arrivals = [self._arrival(each, name) for each, name in zip(found, names, strict=True)]
                jobs = from_thread.run(self._store.arrivals.accept_all, arrivals)
            for each, job in zip(found, jobs, strict=True):
                _tell(each.claim, each.reading, job)
            return self._place_all([each.claim for each in found], jobs, durable)

    def _read_all(self, taken: Iterable[Claim], own_turn: list[Claim]) -> Iterator[_Read]:
        """Read what is as it should be; what must wait for other files, or for anything else, is not."""
        rules = replace(self._rules, now=self._clock.now(), gather=None)
        slow = False
        for claim in taken:
            disk.stop_if_told()
            copied = Copy(self._spool, claim.id)
            reading, digest, began = None, None, time.monotonic()
            if not slow:
                try:
                    digest = self._digest(claim)
                    reading = copy(claim, rules, copied, sync=False)
                except Exception as error:  # noqa: BLE001  told in its own turn, which meets it again
                    log.debug("read again", of=claim.id, error=type(error).__name__)
                slow = time.monotonic() - began > PATIENCE
            if reading is None or reading.count or reading.rejected or reading.total > len(reading.rows):
                copied.discard_index()
                own_turn.append(claim)
            else:
                yield _Read(claim, copied, reading, digest=digest)

    def _place_all(self, accepted: Sequence[Claim], jobs: Sequence[Job], durable: Together) -> list[Claim]:
        """Move the files of accepted jobs to the outbox; returns those that could not be moved."""
        stay: list[Claim] = []
        moved: list[Claim] = []
        for claim, job in zip(accepted, jobs, strict=True):
            try:
                JobFolder(self._outbox, job.name).place_request(claim.path, claim.called.suffix, sync=False)
            except OSError:
                stay.append(claim)
                continue
            durable.note(self._outbox, PurePosixPath(job.name))
            durable.note(self._claims, PurePosixPath(claim.id) / claim.relative.parent)
            moved.append(claim)
        durable.sync()
        for claim in moved:
            claims.discard(claim)
        return stay

    def _copy_whatever_it_is(self, claim: Claim, to: Copy) -> _Read:
        """A defect that a file meets is told beside that file, and stops neither the others nor the next start."""
        try:
            rules = replace(self._rules, now=self._clock.now())
            given = claims.instructions(claim)
            prompt = _prompt(given, rules) if given else None
            ceiling = Ceiling(_identity(given.folder), to_picodollars(prompt.budget_day)) if given and prompt else None
            readers = prompt.readers if prompt else None
            return _Read(claim, to, copy(claim, rules, to, prompt), ceiling, readers, self._digest(claim))
        except (OSError, BatchdError):
            raise
        except Exception as bug:
            defect = Defect.of(bug)
            # No traceback: an error's text may carry what users wrote.
            log.error("defect", work=Work.TAKE.value, of=claim.id, reason=str(defect))  # noqa: TRY400  as above
            raise Rejected([Problem(0, "", f"{defect}; nothing was sent")]) from bug

    def _digest(self, claim: Claim) -> str | None:
        return claims.digest_of(claim) if self._duplicate_window else None

    def _arrival(self, read: _Read, name: str) -> Arrival:
        reading, now = read.reading, self._clock.now()
        return Arrival(
            claim=read.claim.id,
            name=name,
            source=printable(read.claim.relative),
            received_at=now,
            total=reading.total,
            requests=reading.rows,
            budget=to_picodollars(reading.terms.budget),
            cache="; ".join(reading.priming.reasons) if reading.priming else None,
            ticket=read.claim.ticket,
            rows=reading.terms.rows,
            rejected=reading.rejected,
            uid=read.claim.uid,
            digest=read.digest,
            again_from=None if read.digest is None or read.claim.ticket else now - self._duplicate_window,
            ceiling=read.ceiling,
            steps=reading.terms.steps,
            notify=tuple(sorted(reading.notify)),
            turn=reading.terms.turn,
        )

    def _let_in(self, read: _Read, name: str) -> None:
        """Let those read a job's folder who may; whatever keeps them out is told, and keeps no job."""
        said = read.reading.terms.readers
        wanted = _wanted(self._rules, read.claim, read.readers).narrowed(said.kind if said else None)
        with _told_if_kept_out(name):
            if reader := readers.reader_of(wanted.kind, wanted.group, read.claim.uid):
                readers.let_in(self._outbox, PurePosixPath(name), reader)

    def let_read(self, file: PurePosixPath, claim: Claim, dropper: int | None = None) -> None:
        """Let those read a file of the outbox who may read what comes of a claim: its receipt, its reasons.

        Args:
            dropper: Who that counts as; by default whoever dropped the claimed file.
        """
        with _told_if_kept_out(str(file)):
            given = claims.instructions(claim)
            prompt = prompt_of(given.text.decode(), self._rules) if given else None
            wanted = _wanted(self._rules, claim, prompt.readers if isinstance(prompt, PromptFile) else None)
            whose = claim.uid if dropper is None else dropper
            if reader := readers.reader_of(wanted.kind, wanted.group, whose):
                readers.let_read(self._outbox, file, reader)

    @contextmanager
    def _named(self, taken: Sequence[Claim], *, sync: bool) -> Iterator[list[str]]:
        """Choose names for jobs and make their folders, durable or not.

        Nobody else gets a name until the block is left, and then the store knows it: so that many are stored in one
        commit, and none waits for another's.
        """
        names: list[str] = []
        try:
            with self._naming:
                is_taken = self._asked_at_once(claim.called.with_suffix("") for claim in taken)
                for claim in taken:
                    # Of a state that was put back, nobody knows that it has begun this job before.
                    begun = partial(lost_life.begun_with, self._outbox, claim)
                    name = choose_name(self._outbox, claim.called.with_suffix(""), is_taken, begun)
                    JobFolder(self._outbox, name).create(sync=sync)
                    self._promised.add(name.casefold())
                    names.append(name)
            yield names
        finally:
            self._promised -= {name.casefold() for name in names}

    def _asked_at_once(self, wanted: Iterable[PurePosixPath]) -> Callable[[str], bool]:
        """Ask the store once whether jobs have the names that files are most likely to get.

        What is promised to others is noted before that: until the store knows it, it stays promised.
        """
        promised = frozenset(self._promised)
        likely = {"/".join(safepath.components(path)) for path in wanted}
        known = from_thread.run(self._store.jobs.taken, likely) if len(likely) > 1 else None

        def is_taken(name: str) -> bool:
            if name.casefold() in promised or name.casefold() in self._promised:
                return True
            if known is not None and name in likely:
                return name in known
            return from_thread.run(self._store.jobs.named, name) is not None

        return is_taken


def _wanted(rules: Rules, claim: Claim, said: Readers | None) -> Readers:
    """Who may read what comes of a file, as the instructions of its folder say it, or else the settings."""
    otherwise = rules.readers_of(claim.relative.parts[0] if len(claim.relative.parts) > 1 else "")
    return otherwise if said is None else Readers(said.kind, said.group or otherwise.group)


@contextmanager
def _told_if_kept_out(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, Unusable) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        log.warning("readers kept out", of=what, reason=reason, see="batchd doctor")


def _portions(found: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Part files so that no commit takes more requests than it should."""
    portion: list[_Read] = []
    requests = 0
    for each in found:
        if portion and requests + each.reading.total > SLICE:
            yield portion
            portion, requests = [], 0
        portion.append(each)
        requests += each.reading.total
    if portion:
        yield portion


def _asked(claim: Claim) -> bytes | None:
    """What was asked, where that is not in the file itself: the prompt of a bundle, or the instructions of a folder."""
    if not claim.is_bundle:
        return given.text if (given := claims.instructions(claim)) else None
    try:
        with bundles.opened(claim.path) as bundle:
            return bundle.prompt()
    except FileNotFoundError:  # it has been placed
        return None


def goes_together(claim: Claim) -> bool:
    """Whether a file is taken together with others: it is small, and nobody said or asked anything of it."""
    return S_ISREG(claim.mode) and claim.size <= SMALL and claim.ticket is None and not claims.instructed(claim)


def _prompt(given: Given, rules: Rules) -> PromptFile | None:
    """Read what is to be done with a claimed file.

    Raises:
        Rejected: An earlier version took the instructions, or they have run out.
    """
    parsed = prompt_of(given.text.decode(), rules)
    if isinstance(parsed, list):
        where = f"{inbox.INSTRUCTIONS} of its folder, line"
        raise Rejected([Problem(0, each.field, f"{where} {each.line}: {each.message}") for each in parsed])
    return parsed


def _identity(folder: PurePosixPath) -> str:
    """Write a folder so that it can be stored, and is no other's, whatever its bytes."""
    return os.fsencode(folder).decode("utf-8", "backslashreplace")


def printable(path: PurePosixPath | str) -> str:
    """Write a path so that it can be stored and shown, whatever its bytes.

    Args:
        path: With bytes that are no UTF-8 surrogate-escaped.
    """
    return str(path).encode("utf-8", "replace").decode("utf-8")


def _tell(claim: Claim, reading: Reading, job: Job) -> None:
    if reading.cautions:
        # What a caution says quotes what was dropped, which no log shows.
        count, first = len(reading.cautions), min(caution.line for caution in reading.cautions)
        log.warning("cautions", file=str(claim.relative), count=count, first_line=first, see="batchd check")
    for reason in reading.priming.reasons if reading.priming else ():
        log.info("cache", file=str(claim.relative), decision=reason)
    log.info("job accepted", job=job.name, requests=job.total)
    if job.twin is not None:
        log.warning("job held", job=job.name, reason=job.hold)

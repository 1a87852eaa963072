"""From a claimed file to an accepted job: made durable, checked, spooled, named, and committed.

Each step may be repeated: what was done before the commit counts for nothing, and what follows it is only to be moved.

All of it runs in worker threads.
"""

import os
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import PurePosixPath

import structlog
from anyio import from_thread

from batchd.claude.price import to_picodollars
from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.edges import claims, disk, inbox
from batchd.edges.claims import Claim, Given
from batchd.edges.clock import Clock
from batchd.edges.durable import Together
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Arrival, Store
from batchd.edges.store.requests import SLICE
from batchd.errors import BatchdError, Defect, Rejected, Unavailable
from batchd.journey.instructions import prompt_of
from batchd.journey.job_names import JobNames
from batchd.journey.permissions import Permissions
from batchd.journey.places import Places
from batchd.journey.reading import Reading
from batchd.journey.spooling import Copy, copy
from batchd.model import Ceiling, Job, Problem, Readers
from batchd.text.safepath import printable
from batchd.trouble import Work

log = structlog.get_logger()

_PAUSE = 0.25
"""How long, of the time that a commit took, another process may take the database before the next one of a large file.
SQLite has no queue for it: whoever waits asks ten times a second, and would miss a shorter moment again and again."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that was read, and is as it should be where it becomes a job."""

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

    def __init__(
        self, store: Store, clock: Clock, places: Places, rules: Rules, *, duplicate_window: float = 0.0
    ) -> None:
        """Open the way.

        Args:
            store: Where jobs go.
            clock: What moments are told by.
            places: The folders.
            rules: By which files are checked.
            duplicate_window: Seconds for which the same file again is held; 0 for never.
        """
        self._store = store
        self._clock = clock
        self._places = places
        self._rules = rules
        self._duplicate_window = duplicate_window
        self.names = JobNames(store, places.outbox)
        self.permissions = Permissions(places.outbox, rules)

    def read(self, claim: Claim) -> Job:
        """Check a file and spool its params; then accept it.

        Returns:
            Its job; that of another claim where its ticket was accepted before.

        Raises:
            Rejected: It is not as it should be.
        """
        folders = self._places.claims, self._places.inbox
        with Together(*folders) as durable:
            claims.secure([claim], durable, *folders)
        if not claim.is_bundle and (objection := inbox.objection(claim)):
            raise Rejected([objection])
        copied = Copy(self._places.spool, claim.id)
        lacking = False
        try:
            read = self._copy_whatever_it_is(claim, copied)
            reading = read.reading
            if reading.count:
                raise Rejected(reading.problems, reading.count)
            with self.names.chosen([claim], sync=True) as (name,):
                self.let_in(read, name)
                job = from_thread.run(self._store.arrivals.accept, self.arrival(read, name))
                if job.claim != claim.id:  # another's, with the same ticket
                    with suppress(OSError):
                        JobFolder(self._places.outbox, name).path.rmdir()
                    return job
            tell(claim, reading, job)
            lacking = job.missing > 0
            return job
        finally:
            if not lacking:
                copied.discard_index()

    def add(self, job: Job) -> None:
        """Store the requests that an accepted job lacks, slice by slice."""
        copied = Copy(self._places.spool, job.claim)
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

    def _copy_whatever_it_is(self, claim: Claim, to: Copy) -> Checked:
        """A defect that a file meets is told beside that file, and stops neither the others nor the next start."""
        try:
            rules = replace(self._rules, now=self._clock.now())
            given = claims.instructions(claim)
            prompt = _prompt(given, rules) if given else None
            ceiling = Ceiling(_identity(given.folder), to_picodollars(prompt.budget_day)) if given and prompt else None
            readers = prompt.readers if prompt else None
            return Checked(claim, to, copy(claim, rules, to, prompt), ceiling, readers, self.digest(claim))
        except (OSError, BatchdError):
            raise
        except Exception as bug:
            defect = Defect.of(bug)
            # No traceback: an error's text may carry what users wrote.
            log.error("defect", work=Work.TAKE.value, of=claim.id, reason=str(defect))  # noqa: TRY400  as above
            raise Rejected([Problem(0, "", f"{defect}; nothing was sent")]) from bug

    def let_in(self, read: Checked, name: str) -> None:
        """Let those read a job's folder who may."""
        self.permissions.let_in(read.claim, name, read.readers, read.reading.terms.readers)

    def digest(self, claim: Claim) -> str | None:
        """Digest what was dropped; None where nobody asks whether it came before."""
        return claims.digest_of(claim) if self._duplicate_window else None

    def arrival(self, read: Checked, name: str) -> Arrival:
        """Write what the store is to know of a job."""
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


def tell(claim: Claim, reading: Reading, job: Job) -> None:
    """Log what became of a file, and what is to be known of it."""
    if reading.cautions:
        # What a caution says quotes what was dropped, which no log shows.
        count, first = len(reading.cautions), min(caution.line for caution in reading.cautions)
        log.warning("cautions", file=str(claim.relative), count=count, first_line=first, see="batchd check")
    for reason in reading.priming.reasons if reading.priming else ():
        log.info("cache", file=str(claim.relative), decision=reason)
    log.info("job accepted", job=job.name, requests=job.total)
    if job.twin is not None:
        log.warning("job held", job=job.name, reason=job.hold)

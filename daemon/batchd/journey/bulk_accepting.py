"""Small files become jobs together, to share what costs most: two syncs and one commit, however many there are.

This way is for what is as it should be. Whatever is unusual about a file is left to its own turn, which tells what.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from stat import S_ISREG

import structlog
from anyio import from_thread

from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.jobfile.templates import Templates
from batchd.edges import claims, disk
from batchd.edges.claims import Claim
from batchd.edges.clock import Clock
from batchd.edges.durable import Together
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Store
from batchd.edges.store.requests import SLICE
from batchd.journey.accepting import Accepting, Checked, tell
from batchd.journey.places import Places
from batchd.journey.spooling import Copy, copy
from batchd.model import Job

log = structlog.get_logger()

SMALL = 64_000
"""Bytes of a file that may go together with others: it is read in some milliseconds."""
PATIENCE = 2.0
"""Seconds of one small file, after which those behind it are read one by one: it takes longer than it should."""


class BulkAccepting:
    """Makes jobs of many small claimed files."""

    def __init__(self, store: Store, clock: Clock, places: Places, rules: Rules, accepting: Accepting) -> None:
        """Open the way.

        Args:
            store: Where jobs go.
            clock: What moments are told by.
            places: The folders.
            rules: By which files are checked.
            accepting: The way of a file by itself, which shares its names and its permissions.
        """
        self._store = store
        self._clock = clock
        self._places = places
        self._rules = rules
        self._accepting = accepting

    def accept(self, taken: Sequence[Claim]) -> list[Claim]:
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

    def _accept_all(self, found: Sequence[Checked]) -> list[Claim]:
        """Accept files in one commit, and place them; returns those that could not be placed."""
        with Together(self._places.outbox, self._places.spool, self._places.claims, self._places.inbox) as durable:
            with self._accepting.names.chosen([each.claim for each in found], sync=False) as names:
                for each, name in zip(found, names, strict=True):
                    durable.note(self._places.spool, PurePosixPath(each.claim.id))
                    for parent in PurePosixPath(name).parents:
                        durable.note(self._places.outbox, parent)
                    self._accepting.let_in(each, name)
                durable.note(self._places.spool)
                claims.secure([each.claim for each in found], durable, self._places.claims, self._places.inbox)
                arrivals = [self._accepting.arrival(each, name) for each, name in zip(found, names, strict=True)]
                jobs = from_thread.run(self._store.arrivals.accept_all, arrivals)
            for each, job in zip(found, jobs, strict=True):
                tell(each.claim, each.reading, job)
            return self._place_all([each.claim for each in found], jobs, durable)

    def _read_all(self, taken: Iterable[Claim], own_turn: list[Claim]) -> Iterator[Checked]:
        """Read what is as it should be; what must wait for other files, or for anything else, is not."""
        rules = replace(self._rules, now=self._clock.now(), gather=None, known=Templates())
        slow = False
        for claim in taken:
            disk.stop_if_told()
            copied = Copy(self._places.spool, claim.id)
            reading, digest, began = None, None, time.monotonic()
            if not slow:
                try:
                    digest = self._accepting.digest(claim)
                    reading = copy(claim, rules, copied, sync=False)
                except Exception as error:  # noqa: BLE001  told in its own turn, which meets it again
                    log.debug("read again", of=claim.id, error=type(error).__name__)
                slow = time.monotonic() - began > PATIENCE
            if reading is None or reading.count or reading.rejected or reading.total > len(reading.rows):
                copied.discard_index()
                own_turn.append(claim)
            else:
                yield Checked(claim, copied, reading, digest=digest)

    def _place_all(self, accepted: Sequence[Claim], jobs: Sequence[Job], durable: Together) -> list[Claim]:
        """Move the files of accepted jobs to the outbox; returns those that could not be moved."""
        stay: list[Claim] = []
        moved: list[Claim] = []
        for claim, job in zip(accepted, jobs, strict=True):
            try:
                JobFolder(self._places.outbox, job.name).place_request(claim.path, claim.called.suffix, sync=False)
            except OSError:
                stay.append(claim)
                continue
            durable.note(self._places.outbox, PurePosixPath(job.name))
            durable.note(self._places.claims, PurePosixPath(claim.id) / claim.relative.parent)
            moved.append(claim)
        durable.sync()
        for claim in moved:
            claims.discard(claim)
        return stay


def _portions(found: Iterable[Checked]) -> Iterator[list[Checked]]:
    """Part files so that no commit takes more requests than it should."""
    portion: list[Checked] = []
    requests = 0
    for each in found:
        if portion and requests + each.reading.total > SLICE:
            yield portion
            portion, requests = [], 0
        portion.append(each)
        requests += each.reading.total
    if portion:
        yield portion


def goes_together(claim: Claim) -> bool:
    """Whether a file is taken together with others: it is small, and nobody said or asked anything of it."""
    return S_ISREG(claim.mode) and claim.size <= SMALL and claim.ticket is None and not claims.instructed(claim)

"""The way in: a file that has settled is claimed, read, checked, and becomes a job; or it is rejected with its reasons.

The acknowledgement is one commit with the job's row. Whatever dies before it, the claimed file is read again at the
next start; whatever dies after it, the job is known and nothing is read twice. What the store is to know of its
requests is durable in the spool by then. So those of a large file are stored behind that commit, slice by slice, and
nobody's commit waits long for them; a start goes on where the last one came to.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import Protocol

import anyio
import anyio.abc
import structlog
from anyio import from_thread, to_thread

from batchd.decisions.jobfile.reader import Rules
from batchd.edges import bundles, claims, disk, inbox
from batchd.edges.claims import Claim
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Store
from batchd.errors import Unavailable
from batchd.journey.accepting import Accepting
from batchd.journey.amending import Amending
from batchd.journey.bulk_accepting import BulkAccepting, goes_together
from batchd.journey.instructions import Instructions, Ready, Wrong
from batchd.journey.places import Places
from batchd.journey.placing import Placing
from batchd.journey.spooling import INDEX
from batchd.journey.taking import Taking
from batchd.model import Job
from batchd.running.lookout import Misled
from batchd.running.retrying import Retrying
from batchd.text.safepath import printable
from batchd.trouble import Thing, Work

log = structlog.get_logger()

READERS = 3
"""Files that are read at one time, so that a large one does not keep the small ones waiting."""
TOGETHER = 500
"""Files that are claimed in one go; of these, the small ones are taken in one."""
GROUPS = READERS + 1
"""Such goes in hand at one time: while some are read, the next is claimed."""
_UNPROMPTED = (
    f"it waits for its prompt: prompt.md, or one file alone that ends in .md; "
    f"without it, it is rejected after {inbox.PROMPT_PATIENCE:.0f} s"
)
HANDS = 1_000
"""Files that are in hand at one time: one that has to wait for the disk keeps no reader from the others."""


class Manner(Protocol):
    """What the settings say of taking files (`[intake]`)."""

    @property
    def settle(self) -> float:
        """Seconds for which a file must stand still."""

    @property
    def bundle_settle(self) -> float:
        """Seconds for which a bundle must."""

    @property
    def keep_bundle(self) -> bool:
        """Whether a bundle goes along to its job's folder."""

    @property
    def duplicate_window(self) -> float:
        """Seconds for which the same file again is held; 0 for never."""


class Intake:
    """Takes what is dropped."""

    def __init__(  # noqa: PLR0913  the edges it works with
        self,
        store: Store,
        clock: Clock,
        places: Places,
        rules: Rules,
        manner: Manner,
        accepted: Bell,
        retrying: Retrying,
    ) -> None:
        """Open the way in.

        Args:
            store: Where jobs go.
            clock: What moments are told by.
            places: The folders.
            rules: By which files are checked.
            manner: When, and how, files are taken.
            accepted: Rung after each file.
            retrying: What repeats the taking of one file.
        """
        self._store = store
        self._clock = clock
        self._places = places
        self._accepting = Accepting(store, clock, places, rules, duplicate_window=manner.duplicate_window)
        self._bulk = BulkAccepting(store, clock, places, rules, self._accepting)
        amending = Amending(store, places, rules, keep_bundle=manner.keep_bundle)
        placing = Placing(places.outbox, keep_bundle=manner.keep_bundle)
        self._taking = Taking(store, clock, places, self._accepting, amending, placing)
        self._settling = inbox.Settling(manner.settle, manner.bundle_settle)
        self._instructions = Instructions(places.inbox, places.outbox, rules, manner.settle)
        self._accepted = accepted
        self._retrying = retrying
        self._readers = anyio.Semaphore(READERS)
        self._hands = anyio.Semaphore(HANDS)
        self._groups = anyio.Semaphore(GROUPS)
        self._at_work = 0
        self._left: set[PurePosixPath] = set()
        """Files that lie where nothing can be taken."""

    @property
    def idle(self) -> bool:
        """Whether nothing is being taken or read, but for files that a defect has parked."""
        return self._at_work == len(self._retrying.parked(Work.TAKE))

    @property
    def rejections(self) -> int:
        """Files refused since the start."""
        return self._taking.rejections

    def misled(self) -> list[Misled]:
        """List the folders whose instructions are wrong."""
        return [
            Misled(printable("" if not folder.parts else folder), errors, since, str(version))
            for folder, errors, since, version in self._instructions.misled
        ]

    async def recover(self) -> list[Claim]:
        """List what was claimed before the last end of this program, with half-done claims completed."""
        await to_thread.run_sync(self._sweep_spool)
        spoiled: dict[str, Exception] = {}
        found = await to_thread.run_sync(claims.recover_claims, self._places.inbox, self._places.claims, spoiled)
        for name, error in spoiled.items():
            said = error if isinstance(error, OSError) else Unavailable("its claim cannot be read")
            thing = Thing(Work.TAKE, printable(name), printable(str(self._places.claims / name)))
            await self._retrying.failed(thing, said)
        self._taking.recovered |= {claim.id for claim in found}
        return found

    def _sweep_spool(self) -> None:
        """Remove what no job needs: a claim that has not become one yet is read, and spooled, again."""
        for file in self._places.spool.iterdir():
            with suppress(OSError):  # a folder, say, which is none of ours
                if not self._is_needed(file.name):
                    file.unlink()

    def _is_needed(self, name: str) -> bool:
        claim = name.removesuffix(INDEX)
        if from_thread.run(self._store.amendments.needs_params, claim):
            return True
        if claim == name:
            return from_thread.run(self._store.jobs.needs_params, claim)
        job = from_thread.run(self._store.jobs.of_claim, claim)
        return job is not None and job.missing > 0

    async def sweep(self, tasks: anyio.abc.TaskGroup) -> float | None:
        """Look at the inbox once, and take what has settled.

        Args:
            tasks: Where the taken files are read on.

        Returns:
            Seconds after which another look is worth while; None when nothing is settling.
        """
        self._at_work += 1
        try:
            seen = await to_thread.run_sync(inbox.look, self._places.inbox)
            now = self._clock.now()
            await to_thread.run_sync(self._instructions.look, seen.instructions, now)
            closed: dict[PurePosixPath, Exception] = dict(seen.closed)
            closed |= {folder: Unavailable(_said_of(wrong)) for folder, wrong in self._instructions.wrong.items()}
            await self._claim(self._settling.settled(seen.candidates, now), tasks, closed)
            for bundle in self._settling.unprompted():
                closed.setdefault(bundle, Unavailable(_UNPROMPTED))
            await self._tell(closed)
            dues = (self._settling.due(now), self._instructions.due(now))
            return min((due for due in dues if due is not None), default=None)
        finally:
            self._at_work -= 1

    async def has_files(self) -> bool:
        """Whether anything lies in the inbox that could be taken."""
        found = await to_thread.run_sync(inbox.scan, self._places.inbox)
        return any(candidate.relative not in self._left for candidate in found)

    async def _claim(
        self, candidates: list[inbox.Candidate], tasks: anyio.abc.TaskGroup, closed: dict[PurePosixPath, Exception]
    ) -> None:
        """Take what can be taken; a file that cannot stays where it is, delays no other, and is tried at every look."""
        self._left = set()
        remaining = iter(candidates)
        while some := list(islice(remaining, TOGETHER)):
            await self._groups.acquire()
            small, others = await to_thread.run_sync(self._claim_all, some, closed)
            self._at_work += len(small)
            tasks.start_soon(self._take_together, small, tasks)
            for claim in others:
                await self.start(claim, tasks)

    def _claim_all(
        self, candidates: Iterable[inbox.Candidate], closed: dict[PurePosixPath, Exception]
    ) -> tuple[list[Claim], list[Claim]]:
        """Claim files: those that go together, and others; what keeps the files of a folder is added to the closed."""
        small: list[Claim] = []
        others: list[Claim] = []
        for candidate in candidates:
            folder = candidate.relative if candidate.tree else candidate.relative.parent
            if isinstance(closed.get(folder), PermissionError):
                self._left.add(candidate.relative)
                continue
            standing = self._instructions.of(folder)
            if not isinstance(standing, Ready):
                if isinstance(standing, Wrong):
                    self._left.add(candidate.relative)
                continue
            try:
                if self._is_written(candidate):
                    continue
                whose = self._instructions.whose(folder)
                given = claims.Given(standing.text.encode(), whose) if standing.text and whose is not None else None
                claim = claims.claim(self._places.inbox, candidate.relative, self._places.claims, given)
            except (FileNotFoundError, BlockingIOError):
                continue
            except Exception as error:  # noqa: BLE001  told as that folder's trouble
                closed[folder] = error
                if isinstance(error, PermissionError):
                    self._left.add(candidate.relative)
                continue
            (small if goes_together(claim) else others).append(claim)
        return small, others

    async def _take_together(self, claimed: list[Claim], tasks: anyio.abc.TaskGroup) -> None:
        """Take small files in one go, and then, each by itself, those that this does not suit."""
        own_turn = claimed
        try:
            async with self._readers:
                own_turn = await to_thread.run_sync(self._bulk.accept, claimed) if claimed else []
        except Exception as error:  # noqa: BLE001  it is each file's own trouble, told in its own turn
            log.debug("taken one by one", files=len(claimed), error=type(error).__name__)
        finally:
            self._groups.release()
        try:
            self._accepted.ring()
            for claim in own_turn:
                await self.start(claim, tasks)
        finally:
            self._at_work -= len(claimed)
            self._accepted.ring()

    def _is_written(self, candidate: inbox.Candidate) -> bool:
        if candidate.tree is not None:
            return bundles.has_writer(self._places.inbox, candidate.relative)
        return disk.has_writer(self._places.inbox / candidate.relative)

    async def _tell(self, closed: dict[PurePosixPath, Exception]) -> None:
        """Say which folders keep their files to themselves, and that others do so no more."""
        for folder, error in closed.items():
            said = error
            if isinstance(error, OSError):
                said = Unavailable(printable(inbox.why_closed(self._places.inbox, folder, error)))
            await self._retrying.failed(self._entering(folder), said)
        still = {self._entering(folder) for folder in closed}
        for trouble in self._retrying.troubles:
            if trouble.thing.work is Work.ENTER and trouble.thing not in still:
                await self._retrying.over(trouble.thing)

    def _entering(self, folder: PurePosixPath) -> Thing:
        return Thing(Work.ENTER, printable(folder), printable(str(self._places.inbox / folder)))

    async def start(self, claim: Claim, tasks: anyio.abc.TaskGroup) -> None:
        """Read a claimed file in the background; waits only while too many are in hand.

        Args:
            claim: The file.
            tasks: Where.
        """
        self._at_work += 1
        await self._hands.acquire()
        tasks.start_soon(self._take_patiently, claim)

    async def _take_patiently(self, claim: Claim) -> None:
        try:
            await self._retrying.until_done(
                Thing(Work.TAKE, claim.id, printable(claim.relative)),
                partial(self._take_in_turn, claim),
                rest=self._rest,
            )
        finally:
            self._at_work -= 1
            self._hands.release()
            self._accepted.ring()

    async def _rest(self, seconds: float) -> None:
        """Wait with a file that cannot be taken now, and let others be taken meanwhile."""
        self._hands.release()
        try:
            await self._clock.sleep(seconds)
        finally:
            with anyio.CancelScope(shield=True):
                await self._hands.acquire()

    async def _take_in_turn(self, claim: Claim) -> None:
        async with self._readers:
            await self._taking.take(claim)

    async def add(self, job: Job) -> None:
        """Store the requests that an accepted job lacks, slice by slice.

        Args:
            job: Which.
        """
        async with self._readers:
            await to_thread.run_sync(self._accepting.add, await self._store.jobs.get(job.id))


def _said_of(wrong: Wrong) -> str:
    """Say that a folder's instructions are wrong, in words of our own: what stands in them is for its reader alone."""
    count, line = len(wrong.problems), wrong.problems[0].line
    errors = "1 error" if count == 1 else f"{count:,} errors"
    where = f", the first in line {line}" if line else ""
    return f"its {inbox.INSTRUCTIONS} has {errors}{where}: see instructions.errors.json of the folder in rejected"

"""The way in: a file that has settled is claimed, read, checked, and becomes a job; or it is rejected with its reasons.

The acknowledgement is one commit with the job's row. Whatever dies before it, the claimed file is read again at the
next start; whatever dies after it, the job is known and nothing is read twice. What the store is to know of its
requests is durable in the spool by then. So those of a large file are stored behind that commit, slice by slice, and
nobody's commit waits long for them; a start goes on where the last one came to.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

import anyio
import anyio.abc
import structlog
from anyio import from_thread, to_thread

from batchd.decisions.jobfile.reader import Rules
from batchd.edges import bundles, claims, disk, inbox, receipts, rejected
from batchd.edges.claims import Claim
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import Store
from batchd.errors import Rejected, Unavailable
from batchd.journey.accepting import Accepting, goes_together, printable
from batchd.journey.amending import Amending, amends
from batchd.journey.instructions import Instructions, Ready, Wrong
from batchd.journey.spooling import INDEX, Copy
from batchd.model import Job, Problem
from batchd.notice import Kind, NewNotice, queue_of
from batchd.running.lookout import Misled
from batchd.running.retrying import Retrying
from batchd.text.strictjson import Json
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
_TAKEN = (
    "ticket {ticket} came with another file before, which {what}: nothing of this one was sent; drop it with a ticket "
    "of its own, or with none"
)
HANDS = 1_000
"""Files that are in hand at one time: one that has to wait for the disk keeps no reader from the others."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one installation."""

    inbox: Path
    outbox: Path
    state: Path

    @property
    def claims(self) -> Path:
        """Files that were taken and are not jobs yet."""
        return self.state / "claims"

    @property
    def spool(self) -> Path:
        """The checked params of every request, one file a job."""
        return self.state / "spool"

    @property
    def drafts(self) -> Path:
        """Documents between two rounds."""
        return self.state / "drafts"

    @property
    def streams(self) -> Path:
        """Answers of the sync lane, as they come."""
        return self.state / "streams"


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
        paths = (places.inbox, places.outbox, places.claims, places.spool)
        self._accepting = Accepting(
            store, clock, paths, rules, keep_bundle=manner.keep_bundle, duplicate_window=manner.duplicate_window
        )
        self._amending = Amending(store, paths, rules, keep_bundle=manner.keep_bundle)
        self._settling = inbox.Settling(manner.settle, manner.bundle_settle)
        self._instructions = Instructions(places.inbox, places.outbox, rules, manner.settle)
        self._accepted = accepted
        self._retrying = retrying
        self._readers = anyio.Semaphore(READERS)
        self._hands = anyio.Semaphore(HANDS)
        self._groups = anyio.Semaphore(GROUPS)
        self._at_work = 0
        self._recovered: set[str] = set()
        """Claims of an earlier life, by id: a state that was put back may hold some that were refused since."""
        self._left: set[PurePosixPath] = set()
        """Files that lie where nothing can be taken."""
        self.rejections = 0
        """Files refused since the start."""

    @property
    def idle(self) -> bool:
        """Whether nothing is being taken or read, but for files that a defect has parked."""
        return self._at_work == len(self._retrying.parked(Work.TAKE))

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
        self._recovered |= {claim.id for claim in found}
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
                own_turn = await to_thread.run_sync(self._accepting.together, claimed) if claimed else []
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
            await self._take(claim)

    async def _take(self, claim: Claim) -> None:
        ticket = claim.ticket
        job = await self._store.jobs.of_claim(claim.id)
        if job is None and ticket is not None and await self._came_before(ticket, claim):
            return
        if job is None and await self._amends(claim):
            return
        if job is None and not await to_thread.run_sync(claims.holds, claim):
            # It lies in `rejected/`, and the disk refused what came after.
            await self._forget(claim)
            return
        if job is None:
            try:
                job = await to_thread.run_sync(self._accepting.read, claim)
            except Rejected as rejection:
                await self._reject(claim, rejection, ticket)
                return
            if job.claim != claim.id:
                await self._forget_known(claim, job)
                return
        if ticket is not None:
            await to_thread.run_sync(self._hand_out, ticket, claim, job)
        await to_thread.run_sync(self._accepting.place, claim, job)

    async def _amends(self, claim: Claim) -> bool:
        """Put a job right where that is what a claim is for; whether it is."""
        amended = await self._store.amendments.of_claim(claim.id)
        if amended is None:
            name = await to_thread.run_sync(amends, claim)
            if name is None:
                return False
            try:
                amended = await to_thread.run_sync(self._amending.take, claim, name)
            except Rejected as rejection:
                await self._reject(claim, rejection, claim.ticket)
                return True
            log.info("job amended", job=amended[1].name)
        amendment, job = amended
        if (ticket := claim.ticket) is not None:
            await to_thread.run_sync(lambda: receipts.accepted(self._places.outbox, ticket, job.name, _content(claim)))
        await to_thread.run_sync(self._amending.place, claim, amendment, job)
        return True

    async def _came_before(self, ticket: str, claim: Claim) -> bool:
        """Let a file go whose ticket is known: what came with it first is a job, or was rejected, and stays so.

        Other bytes than those that came first are nobody's, and are rejected.
        """
        job = await self._store.jobs.of_ticket(ticket)
        if job is None and await self._store.amendments.of_claim(claim.id) is None:
            job = await self._store.amendments.of_ticket(ticket)
        told = await to_thread.run_sync(receipts.read, self._places.outbox, ticket)
        # Where it was this very claim, a crash has interrupted its rejection.
        if job is None and (told is None or told.claim in {"", claim.id}):
            return False
        if told is not None and told.digest is not None:
            content = await to_thread.run_sync(_content, claim)
            if content not in {None, told.digest}:
                what = "was rejected" if job is None else f"is job {job.name}"
                await self._reject(claim, Rejected([Problem(0, "", _TAKEN.format(ticket=ticket, what=what))]), None)
                return True
        if job is not None:
            await self._forget_known(claim, job)
        else:
            log.info("ticket known", ticket=ticket)
            await to_thread.run_sync(claims.discard, claim)
        return True

    async def _forget_known(self, claim: Claim, job: Job) -> None:
        """Remove what came again with a ticket, unsent; its receipt stands, and is written anew."""
        ticket = claim.ticket
        log.info("ticket known", ticket=ticket, job=job.name)
        if ticket is not None:
            await to_thread.run_sync(self._hand_out, ticket, claim, job)
        await to_thread.run_sync(claims.discard, claim)
        await to_thread.run_sync(lambda: (self._places.spool / claim.id).unlink(missing_ok=True))

    def _hand_out(self, ticket: str, claim: Claim, job: Job) -> None:
        """Write the receipt of a job, for whoever dropped it first."""
        receipts.accepted(self._places.outbox, ticket, job.name, _content(claim))
        self._accepting.let_read(receipts.path_of(ticket), claim, job.uid)

    async def _reject(self, claim: Claim, rejection: Rejected, ticket: str | None) -> None:
        """Put a file where the rejected ones lie, with what is wrong, and say so in the receipt of a ticket."""
        why = rejection.problems, rejection.count
        source = printable(claim.relative)
        digest = None if ticket is None else await to_thread.run_sync(_content, claim)

        def tell(name: str) -> None:
            said: dict[str, Json] = {
                "file": printable(name),
                "queue": queue_of(source),
                "source": source,
                "errors": rejection.count,
            }
            notice = NewNotice(Kind.FILE_REJECTED, f"claim {claim.id}", self._clock.now(), said, queue=queue_of(source))
            from_thread.run(self._store.notices.note_rejection, notice)
            self._accepting.let_read(PurePosixPath(rejected.FOLDER, f"{name}.errors.json"), claim)
            if ticket is not None:
                receipts.rejected(self._places.outbox, ticket, claim.id, digest, name, *why)
                self._accepting.let_read(receipts.path_of(ticket), claim)

        name = await to_thread.run_sync(
            partial(
                rejected.reject,
                self._places.outbox,
                claim.path,
                claim.called,
                *why,
                again=claim.id in self._recovered,
                tell=tell,
            )
        )
        log.warning("file rejected", file=name, errors=rejection.count)
        await self._forget(claim)

    async def _forget(self, claim: Claim) -> None:
        await to_thread.run_sync(claims.discard, claim)
        await to_thread.run_sync(Copy(self._places.spool, claim.id).discard)
        self.rejections += 1

    async def add(self, job: Job) -> None:
        """Store the requests that an accepted job lacks, slice by slice.

        Args:
            job: Which.
        """
        async with self._readers:
            await to_thread.run_sync(self._accepting.add, await self._store.jobs.get(job.id))


def _content(claim: Claim) -> str | None:
    """Digest the bytes of what was taken; None where they are here no more, or cannot be read."""
    with suppress(OSError, Rejected):
        return claims.content_of(claim)
    return None


def _said_of(wrong: Wrong) -> str:
    """Say that a folder's instructions are wrong, in words of our own: what stands in them is for its reader alone."""
    count, line = len(wrong.problems), wrong.problems[0].line
    errors = "1 error" if count == 1 else f"{count:,} errors"
    where = f", the first in line {line}" if line else ""
    return f"its {inbox.INSTRUCTIONS} has {errors}{where}: see instructions.errors.json of the folder in rejected"

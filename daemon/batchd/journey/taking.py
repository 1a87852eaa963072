"""One claimed file: it becomes a job, puts one right, came before with its ticket, or is rejected with its reasons."""

import structlog
from anyio import to_thread

from batchd.edges import claims, receipts
from batchd.edges.claims import Claim
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Rejected
from batchd.journey.accepting import Accepting
from batchd.journey.amending import Amending, amends
from batchd.journey.places import Places
from batchd.journey.placing import Placing
from batchd.journey.refusing import Refusing, content_of
from batchd.journey.spooling import Copy
from batchd.model import Job, Problem

log = structlog.get_logger()

_TAKEN = (
    "ticket {ticket} came with another file before, which {what}: nothing of this one was sent; drop it with a ticket "
    "of its own, or with none"
)


class Taking:
    """Brings claimed files to their end, each by itself."""

    def __init__(  # noqa: PLR0913  what a claim may become
        self, store: Store, clock: Clock, places: Places, accepting: Accepting, amending: Amending, placing: Placing
    ) -> None:
        """Join what a claim may become.

        Args:
            store: Where jobs go.
            clock: What moments are told by.
            places: The folders.
            accepting: Makes jobs of files.
            amending: Puts jobs right by files.
            placing: Moves files to the outbox.
        """
        self._store = store
        self._places = places
        self._accepting = accepting
        self._amending = amending
        self._placing = placing
        self._refusing = Refusing(store, clock, places, accepting.permissions)
        self.recovered: set[str] = set()
        """Claims of an earlier life, by id: a state that was put back may hold some that were refused since."""
        self.rejections = 0
        """Files refused since the start."""

    async def take(self, claim: Claim) -> None:
        """Make of a claimed file what it is to be; what was done of it before a crash is not done again."""
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
        await to_thread.run_sync(self._placing.place, claim, job)

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
            await to_thread.run_sync(
                lambda: receipts.accepted(self._places.outbox, ticket, job.name, content_of(claim))
            )
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
            content = await to_thread.run_sync(content_of, claim)
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
        receipts.accepted(self._places.outbox, ticket, job.name, content_of(claim))
        self._accepting.permissions.let_read(receipts.path_of(ticket), claim, job.uid)

    async def _reject(self, claim: Claim, rejection: Rejected, ticket: str | None) -> None:
        """Put a file where the rejected ones lie, with what is wrong, and say so in the receipt of a ticket."""
        await self._refusing.refuse(claim, rejection, ticket, again=claim.id in self.recovered)
        await self._forget(claim)

    async def _forget(self, claim: Claim) -> None:
        await to_thread.run_sync(claims.discard, claim)
        await to_thread.run_sync(Copy(self._places.spool, claim.id).discard)
        self.rejections += 1

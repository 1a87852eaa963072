"""Refusing a claimed file: it lies in `rejected/` with its reasons, and whoever waits for it is told."""

from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath

import structlog
from anyio import from_thread, to_thread

from batchd.edges import claims, receipts, rejected
from batchd.edges.claims import Claim
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Rejected
from batchd.journey.permissions import Permissions
from batchd.journey.places import Places
from batchd.notice import Kind, NewNotice, queue_of
from batchd.text.safepath import printable
from batchd.text.strictjson import Json

log = structlog.get_logger()


class Refusing:
    """The one way of a claimed file to `rejected/`: no file gets there without its notice and its receipt."""

    def __init__(self, store: Store, clock: Clock, places: Places, permissions: Permissions) -> None:
        self._store = store
        self._clock = clock
        self._outbox = places.outbox
        self._permissions = permissions

    async def refuse(self, claim: Claim, rejection: Rejected, ticket: str | None, *, again: bool = False) -> None:
        """Put a file where the rejected ones lie, with what is wrong, and say so in the receipt of a ticket.

        Args:
            claim: Its folder stays, empty.
            rejection: What is wrong.
            ticket: Whose receipt says so; None for none.
            again: Whether a life that the state knows nothing of may have refused it before.
        """
        why = rejection.problems, rejection.count
        source = printable(claim.relative)
        digest = None if ticket is None else await to_thread.run_sync(content_of, claim)

        def tell(name: str) -> None:
            said: dict[str, Json] = {
                "file": printable(name),
                "queue": queue_of(source),
                "source": source,
                "errors": rejection.count,
            }
            notice = NewNotice(Kind.FILE_REJECTED, f"claim {claim.id}", self._clock.now(), said, queue=queue_of(source))
            from_thread.run(self._store.notices.note_rejection, notice)
            self._permissions.let_read(PurePosixPath(rejected.FOLDER, f"{name}.errors.json"), claim)
            if ticket is not None:
                receipts.rejected(self._outbox, ticket, claim.id, digest, name, *why)
                self._permissions.let_read(receipts.path_of(ticket), claim)

        name = await to_thread.run_sync(
            partial(rejected.reject, self._outbox, claim.path, claim.called, *why, again=again, tell=tell)
        )
        log.warning("file rejected", file=name, errors=rejection.count)


def content_of(claim: Claim) -> str | None:
    """Digest the bytes of what was taken; None where they are here no more, or cannot be read."""
    with suppress(OSError, Rejected):
        return claims.content_of(claim)
    return None

"""Waiting for a job, by what the folders say: no right on the state folder is needed."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import msgspec

from batchd.client.dropping import Ticket
from batchd.client.finished import Held, Refused, read_job
from batchd.client.places import Folder, inbox_at, outbox_at, state_at
from batchd.formats.jobs import Job
from batchd.text.tickets import FORM, SIGN, is_ticket, parted

T = TypeVar("T")

_SHORTEST: Final = 0.05
_LONGEST: Final = 1.0
"""Seconds between two looks: short at first, for those who rehearse."""
_UNSEEN: Final = 5.0
"""Seconds for which a file may be read before it is a job, or rejected, unseen by who may not look into the state."""
_UNREADABLE: Final = 30.0
"""Seconds until whoever dropped a file with a ticket may read its receipt, if ever: others let them in by then."""
_ENDINGS: Final = (".jsonl", ".json", ".md", ".txt", ".csv", ".tsv", ".ndjson", ".job", ".pdf", ".png", ".jpg", ".jpeg")
"""Of files whose reasons are looked for by name, where nobody may look round."""
_REJECTED: Final = "rejected"
_REASONS: Final = ".errors.json"


def wait(
    job: str | Ticket,
    timeout: float | None = None,
    *,
    outbox: Folder | None = None,
    inbox: Folder | None = None,
    through_holds: bool = False,
) -> Job:
    """Wait until a job has ended, and return what its `job.json` says.

    Args:
        job: Its name, or the ticket of what was dropped (also as `@TICKET`).
        timeout: Seconds; None for as long as it takes.
        outbox: Where it is; by default what the command would find.
        inbox: Where it may still lie.
        through_holds: Wait on where a person is needed.

    Raises:
        Refused: It was rejected.
        Held: It waits for a person.
        TimeoutError: It takes longer.
        LookupError: There is no such job, nor a file that would become it.
        PermissionError: This user may not read the outbox.
    """
    state = state_at() if outbox is None else None
    return Watch(str(job), outbox_at(outbox), inbox_at(inbox), state).until_ended(timeout, through_holds=through_holds)


def accepted(ticket: Ticket, timeout: float | None) -> str:
    """Wait until what came with a ticket is a job, and return its name; `Ticket.job` says what is raised."""
    watch = Watch(str(ticket), ticket.outbox, ticket.inbox)
    return _until(watch.taken_as, timeout, f"{ticket} was not taken within {timeout or 0:g} s: is the daemon running?")


class Watch:
    """One job that somebody waits for."""

    def __init__(self, name: str, outbox: Path, inbox: Path, state: Path | None = None) -> None:
        """Look at nothing yet.

        Args:
            state: The state folder, where a file lies between its taking and its acceptance; None where it is not
                known. Where nobody may look into it, a name counts as unknown only after a while.
        """
        self.name = name
        self._claims = None if state is None else state / "claims"
        self._nowhere_since: float | None = None
        self._outbox = outbox
        self._inbox = inbox
        if name.startswith(SIGN) and not is_ticket(name.removeprefix(SIGN)):
            raise LookupError(f"{name} is no ticket: one has {SIGN} and {FORM}")

    def until_ended(self, timeout: float | None, *, through_holds: bool = False) -> Job:
        """Look until it has ended; raises as `wait` does."""
        look = partial(self.look, through_holds=through_holds)
        return _until(look, timeout, f"job {self.name} has not ended within {timeout or 0:g} s")

    def look(self, *, through_holds: bool = False) -> Job | None:
        """Look once; None while it goes on. Raises as `wait` does, but for the time-out."""
        # In the order in which a file moves, so that it is not missed between two places.
        on_its_way = self._lies_in(self._inbox) or self._is_claimed()
        try:
            self._raise_if_closed()
            name = self.accepted_as()
        except PermissionError:
            # Whoever dropped it is let in when it is accepted, or rejected.
            if on_its_way or (self.name.startswith(SIGN) and self._within(_UNREADABLE)):
                return None
            raise
        if name is None:
            return None
        folder = self._outbox / name
        if (job := read_job(folder)) is not None:
            return job
        if not folder.is_dir():
            if on_its_way or self.name.startswith(SIGN):
                return None
            self._raise_if_rejected(name)
            if self._may_be_claimed():
                return None
            raise LookupError(f"there is no job {name!r}, and nothing in the inbox that would become it")
        note = _held(folder)
        if note is not None and note.get("until") is None and not through_holds:
            raise Held(name, note)
        return None

    def accepted_as(self) -> str | None:
        """The job's name; None where a ticket has no receipt yet.

        Raises:
            Refused: What came with the ticket was rejected.
        """
        if not self.name.startswith(SIGN):
            return self.name.strip("/")
        try:
            receipt = msgspec.json.decode((self._outbox / ".tickets" / f"{self.name[1:]}.json").read_bytes())
        except FileNotFoundError:
            return None
        if receipt.get("rejected"):
            raise Refused(receipt["rejected"], receipt.get("errors", []), receipt.get("count", 1))
        return str(receipt["job"])

    def taken_as(self) -> str | None:
        """The job's name, as `accepted_as` has it; None also while this user may yet be let into the outbox."""
        try:
            return self.accepted_as()
        except PermissionError:
            if self._lies_in(self._inbox) or self._within(_UNSEEN):
                return None
            raise

    def _raise_if_closed(self) -> None:
        """Nothing is missing where this user may not look; an outbox that is not there yet is empty."""
        if not self._outbox.exists():
            self._inbox.stat()
        elif not os.access(self._outbox, os.X_OK):  # where one may pass, one need not look round
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._outbox))

    def _lies_in(self, folder: Path) -> bool:
        wanted = PurePosixPath(self.name.strip("/"))
        with suppress(OSError), os.scandir(folder / wanted.parent) as entries:
            return any(_would_become(entry.name, wanted.name) for entry in entries)
        return False

    def _is_claimed(self) -> bool:
        with suppress(OSError):
            return self._claims is not None and any(self._lies_in(claim) for claim in self._claims.iterdir())
        return False

    def _may_be_claimed(self) -> bool:
        """Whether a file of this name may have been taken just now, where nobody can see it."""
        if self._claims is not None and os.access(self._claims, os.R_OK | os.X_OK):
            return False
        return self._within(_UNSEEN)

    def _within(self, seconds: float) -> bool:
        """Whether it is nowhere for less than some seconds."""
        now = time.monotonic()
        self._nowhere_since = now if self._nowhere_since is None else self._nowhere_since
        return now - self._nowhere_since < seconds

    def _raise_if_rejected(self, name: str) -> None:
        for reasons in _reasons(self._outbox / _REJECTED, PurePosixPath(name)):
            said = msgspec.json.decode(reasons.read_bytes())
            raise Refused(said["file"], said["errors"], said.get("count", len(said["errors"])))


def _until(look: Callable[[], T | None], timeout: float | None, late: str) -> T:
    for _ in looks(timeout):
        if (seen := look()) is not None:
            return seen
    raise TimeoutError(late)


def looks(timeout: float | None) -> Iterator[None]:
    """Give the moments at which to look, ever less often; the first is now, and the last when the time is up.

    Args:
        timeout: Seconds; None for as long as it takes.
    """
    until = None if timeout is None else time.monotonic() + timeout
    pause = _SHORTEST
    while True:
        yield
        left = _LONGEST if until is None else until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST)


def _would_become(file: str, job: str) -> bool:
    if file.startswith("."):
        return False
    path, _ = parted(PurePosixPath(file))
    return path.stem == job


def _held(folder: Path) -> dict[str, object] | None:
    try:
        note: dict[str, object] = msgspec.json.decode((folder / "held.json").read_bytes())
    except FileNotFoundError:
        return None
    return note


def _reasons(rejected: Path, name: PurePosixPath) -> Iterator[Path]:
    """The reasons of what was rejected under a name, the latest first."""
    with suppress(FileNotFoundError):
        try:
            names = [each.name for each in (rejected / name.parent).iterdir()]
        except PermissionError:
            names = [f"{name.name}{ending}{_REASONS}" for ending in _ENDINGS]
        found = [
            path
            for each in names
            if each.endswith(_REASONS) and PurePosixPath(each.removesuffix(_REASONS)).stem == name.name
            if (path := rejected / name.parent / each).exists()
        ]
        yield from sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

"""What keeps one thing from being done, apart from all others: the values of the one policy for trouble."""

from dataclasses import dataclass, field
from enum import StrEnum

from batchd.model import JobId

HOUR = 3600.0
"""Seconds for which the world may be unable to do something before a person is told of it in the outbox."""


class Work(StrEnum):
    """What is done for one thing at a time, each apart from all others."""

    TAKE = "take"
    """A file of the inbox becomes a job, or is rejected."""
    ENTER = "enter"
    """The files of one folder of the inbox are taken."""
    ADD = "add"
    """The requests of an accepted job are put into the store, as far as its acknowledgement did not."""
    STEP = "step"
    """The next step of a job is asked."""
    PACK = "pack"
    """Waiting requests of a job are put into batches."""
    CARRY = "carry"
    """A batch is sent, polled and collected."""
    COUNT = "count"
    """The tokens of a held request are counted."""
    FINISH = "finish"
    """The reports of a job are written."""
    REOPEN = "reopen"
    """The failed requests of a finished job wait again."""
    NOTE = "note"
    """`held.json` is written, or removed."""
    RESTORE = "restore"
    """What was paid since a restored state was made is looked for."""
    LOOK = "look"
    """One step of the dispatcher's look at the store or the inbox: nobody's in particular."""

    @property
    def undone(self) -> str:
        """How to say that it could not be done."""
        return _UNDONE[self]


_UNDONE = {
    Work.TAKE: "not taken",
    Work.ENTER: "its files are not taken",
    Work.ADD: "its requests are not all in the store",
    Work.STEP: "its next step is not asked",
    Work.PACK: "not put into a batch",
    Work.CARRY: "not carried on",
    Work.COUNT: "its tokens are not counted",
    Work.FINISH: "not finished",
    Work.REOPEN: "not opened again",
    Work.NOTE: "held.json is not up to date",
    Work.RESTORE: "nothing is sent: what was paid since it was made is not known yet",
    Work.LOOK: "not looked at",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """One piece of work: what is to be done to what; two are the same where these are."""

    work: Work
    id: str
    """Of the file, job, request or batch."""
    name: str = field(default="", compare=False)
    """What a person calls it."""
    job: JobId | None = field(default=None, compare=False)
    """Whose it is, where that is one job's."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps one thing from being done."""

    thing: Thing
    since: float
    """Unix seconds of its first failure; a restart does not begin anew."""
    reason: str
    """In one line, without anything that a user or the API wrote."""
    defect: bool = False
    """Whether it is a fault of this program: then it is parked, and tried again at a calm pace."""

    def lasts(self, now: float) -> bool:
        """Whether a person should hear of it: a defect at once, anything else after its hour."""
        return self.defect or now - self.since >= HOUR


def packing(job: JobId, name: str = "") -> Thing:
    """What is noted where a job's waiting requests cannot be sent."""
    return Thing(Work.PACK, str(job), name, job)

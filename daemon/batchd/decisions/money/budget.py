"""Whether a budget has room for what a request can cost, and which jobs wait for money. Amounts are picodollars."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from batchd.claude.price import dollars
from batchd.model import Ceiling, JobId, RequestId, Waiting


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent on something, and is spent or reserved."""

    budget: int | None
    """None: any amount."""
    committed: int = 0

    @property
    def room(self) -> int | None:
        """What is left of it; None for any amount."""
        return None if self.budget is None else self.budget - self.committed


@dataclass(frozen=True, slots=True)
class Later:
    """What the later steps of a job may cost."""

    counted: int
    """Of those whose requests are counted."""
    open: bool = False
    """Whether a list decides how many others there are: then all that the job's budget leaves is reserved."""

    def rest(self, limit: Limit) -> int:
        """What is reserved for them, of a job that has spent so much of its budget."""
        return self.counted if not self.open or limit.room is None else max(self.counted, limit.room)


NOTHING_LATER: Final = Later(0)


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent just now."""

    today: Limit
    jobs: Mapping[JobId, Limit]
    released: Mapping[JobId, int | None] = field(default_factory=dict)
    """Jobs that a person has let go, and up to which sum; None: whatever they cost. No other limit is theirs."""
    ceilings: Mapping[JobId, Ceiling] = field(default_factory=dict)
    """Of the jobs that belong to a folder's instructions."""
    folders: Mapping[str, int] = field(default_factory=dict)
    """What is spent or reserved today of each of those folders."""
    shares: Mapping[JobId, tuple["Share", ...]] = field(default_factory=dict)
    """What else a job may spend of, together with others."""
    pots: Mapping[tuple["Bar", str], int] = field(default_factory=dict)
    """What is spent or reserved of each of those."""
    steps: Mapping[JobId, Later] = field(default_factory=dict)
    """What the later steps of jobs may cost of which nothing was sent yet: it is reserved with their first request."""


@dataclass(frozen=True, slots=True)
class Share:
    """What the settings let a job spend together with others: a top folder's day or month, the month of all."""

    bar: "Bar"
    name: str
    """Of the folder; '' for what is everybody's."""
    budget: int | None
    """Picodollars; None for any amount."""


class Bar(StrEnum):
    """Which limit a job has come to."""

    PRICE = "price"
    """Nobody knows what it would cost."""
    REQUEST = "request"
    JOB = "job"
    FOLDER = "folder"
    """What the instructions of its folder allow in a day."""
    QUEUE_DAY = "queue day"
    """What the settings let a top folder spend in a day."""
    QUEUE_MONTH = "queue month"
    DAY = "day"
    MONTH = "month"
    RELEASE = "release"
    """The sum up to which a person has let it go."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a job is not sent."""

    reason: str
    first: RequestId
    """It, and whatever comes after it in its job, is held."""
    bar: Bar
    room: int | None = None
    """What that request may cost to be sent after all; None where no cost would do."""

    @property
    def until_tomorrow(self) -> bool:
        """Whether the next day brings room of itself."""
        return self.bar in {Bar.FOLDER, Bar.QUEUE_DAY, Bar.DAY}

    @property
    def until_next_month(self) -> bool:
        """Whether the next month does."""
        return self.bar in {Bar.QUEUE_MONTH, Bar.MONTH}


@dataclass(slots=True)
class Allowance:
    """What may travel, and which jobs are held."""

    fitting: list[Waiting] = field(default_factory=list)
    holds: dict[JobId, Hold] = field(default_factory=dict)


def afford(waiting: Iterable[Waiting], purse: Purse) -> Allowance:
    """Let those requests travel whose worst case every budget has room for; hold the jobs of the others.

    First come, first served; from the first request that does not fit, nothing more of its job is begun, so that what
    is held is what comes last. What was promised to an unfinished document is in the purse's sums already, and goes
    on whatever its price: the money for what it has so far is spent.

    Args:
        waiting: The requests, oldest first.
        purse: What may be spent.
    """
    allowed = Allowance()
    committed = {job: limit.committed for job, limit in purse.jobs.items()}
    folders, pots = dict(purse.folders), dict(purse.pots)
    today = purse.today.committed
    steps = dict(purse.steps)
    for request in waiting:
        if request.promised:
            allowed.fitting.append(request)
            continue
        if request.job in allowed.holds:
            continue
        limit = purse.jobs.get(request.job, Limit(None))
        spent = committed.get(request.job, limit.committed)
        ceiling = purse.ceilings.get(request.job)
        of_folder = folders.get(ceiling.folder, 0) if ceiling else 0
        shares = purse.shares.get(request.job, ())
        later = steps.get(request.job, NOTHING_LATER)
        worst = request.worst or 0
        whole = max(worst + later.counted, later.rest(Limit(limit.budget, spent)))
        if request.job in purse.released:
            limits = {Bar.RELEASE: Limit(purse.released[request.job], spent)}
        else:
            limits = {
                Bar.REQUEST: Limit(request.budget),
                Bar.JOB: Limit(limit.budget, spent),
                Bar.FOLDER: Limit(ceiling.budget if ceiling else None, of_folder),
                Bar.DAY: Limit(purse.today.budget, today),
                **{share.bar: Limit(share.budget, pots.get((share.bar, share.name), 0)) for share in shares},
            }
        needs = dict.fromkeys(Bar, whole) | {Bar.REQUEST: worst, Bar.JOB: worst + later.counted, Bar.RELEASE: worst}
        if (hold := _objection(request, limits, needs)) is not None:
            allowed.holds[request.job] = hold
            continue
        allowed.fitting.append(request)
        steps.pop(request.job, None)
        committed[request.job] = spent + worst + later.counted
        if ceiling:
            folders[ceiling.folder] = of_folder + whole
        for share in shares:
            pots[share.bar, share.name] = pots.get((share.bar, share.name), 0) + whole
        today += whole
    return allowed


def _objection(request: Waiting, limits: Mapping[Bar, Limit], needs: Mapping[Bar, int]) -> Hold | None:
    rooms = {bar: limit.room for bar, limit in limits.items() if limit.room is not None}
    if not rooms:
        return None
    if request.worst is None:
        return Hold("the price of its model is not known, and it has a budget", request.id, Bar.PRICE)
    for bar, room in rooms.items():
        need = needs.get(bar, request.worst)
        if need > room:
            least = min(room - needs.get(each, request.worst) for each, room in rooms.items()) + request.worst
            said = _said(bar, limits[bar], need, "its steps" if need > request.worst else "the next request")
            return Hold(said, request.id, bar, max(least, 0))
    return None


_WHOSE = {
    Bar.JOB: "the budget of the job is {}",
    Bar.FOLDER: "budget_day of its folder's .batchd.md is {}",
    Bar.QUEUE_DAY: "the budget of its folder for a day is {}",
    Bar.QUEUE_MONTH: "the budget of its folder for a month is {}",
    Bar.DAY: "the budget of the day is {}",
    Bar.MONTH: "the budget of the month is {}",
    Bar.RELEASE: "the job was released up to {}",
}


def _said(bar: Bar, limit: Limit, worst: int, what: str) -> str:
    budget = dollars(limit.budget or 0)
    if bar is Bar.REQUEST:
        return f"a request may cost {dollars(worst)}, and its budget is {budget}"
    return (
        f"{_WHOSE[bar].format(budget)}, {dollars(limit.committed)} of it are spent or reserved, "
        f"and {what} may cost {dollars(worst)}"
    )

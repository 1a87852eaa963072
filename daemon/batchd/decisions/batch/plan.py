"""Which waiting requests travel together: a pure plan that loses nothing, doubles nothing and keeps every limit."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from batchd.model import Batch, JobId, Lane, Plan, Waiting

ARRIVAL = 1.0
"""Seconds that a request waits at the least for others of its job that are still being stored, if its batch is not
full: twenty thousand arrive in less, and the first create of a larger job is not to come much later for it."""
ROW_OVERHEAD = 96
"""Bytes a request takes in the body besides its params: braces, keys and the wire's custom_id (at most 64)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold."""

    max_requests: int
    max_bytes: int
    long_max_requests: int
    long_tokens: int
    """`max_tokens` above this makes a request long: it travels apart, in small batches."""
    linger: float
    """Seconds a request may wait for company."""

    def leaves_at(self, request: Waiting, arriving: Collection[JobId]) -> float:
        """When a request has waited long enough for company, in unix seconds."""
        return request.since + (max(self.linger, ARRIVAL) if request.job in arriving else self.linger)


@dataclass(slots=True)
class _Load:
    """A batch that is being filled."""

    capacity: int
    requests: list[Waiting] = field(default_factory=list)
    size: int = 0

    def lingers(self, limits: Limits, arriving: Collection[JobId], now: float) -> bool:
        """Whether none of its requests has waited long enough for company.

        A clock that was set back while nobody ran must not make anybody linger until it is that late again.
        """
        leaves_at = min(limits.leaves_at(request, arriving) for request in self.requests)
        return min(request.since for request in self.requests) <= now < leaves_at

    def takes(self, request: Waiting, max_bytes: int) -> bool:
        """Whether there is still place; an empty load takes anything, however large."""
        fits = self.size + request.size + ROW_OVERHEAD <= max_bytes
        return not self.requests or (fits and len(self.requests) < self.capacity)

    def put(self, request: Waiting) -> None:
        self.requests.append(request)
        self.size += request.size + ROW_OVERHEAD

    def shorten(self, taken: Collection[int], most: int) -> list[Waiting]:
        """Take out the youngest requests, less than half, until the count is one that no other batch has.

        Args:
            taken: The counts of the others.
            most: Bytes that may be taken out; where it would take more, none are.
        """
        count = _capacity(len(self.requests), taken)
        left = self.requests[count:]
        size = sum(request.size + ROW_OVERHEAD for request in left)
        if size > most:
            return []
        self.requests, self.size = self.requests[:count], self.size - size
        return left

    def planned(self) -> Plan:
        """Say which requests travel together; headers are those of any of them."""
        any_of = self.requests[0]
        return Plan(tuple(request.id for request in self.requests), any_of.betas, self.size, version=any_of.version)


def plan(  # noqa: PLR0913  each is one fact that the plan depends on
    waiting: Iterable[Waiting],
    limits: Limits,
    *,
    now: float,
    room: int,
    unresolved: Collection[int] = (),
    arriving: Collection[JobId] = (),
    more: bool = False,
) -> Iterator[Plan]:
    """Cut waiting requests into batches, first come first served; those of the sync lane travel alone, at once.

    Requests travel together when they have the same betas and version (headers belong to a whole batch), are both
    long or both not, and are of one cohort. A batch leaves when it is full or when one of its requests has waited
    `linger`, or for some seconds while others of its job are still being stored; a cohort's batch leaves at once. A
    full one has a count that no unresolved batch has, and no other of this plan: the count is the only fingerprint by
    which the API's list can tell two apart, and creates of one count would wait for each other.

    Args:
        waiting: The requests, oldest first.
        limits: What a batch may hold.
        now: Unix seconds.
        room: How many more requests may be queued at the API.
        unresolved: Counts of the batches whose create is not answered yet.
        arriving: Jobs of which requests are still being stored.
        more: Whether younger ones wait that were not shown: then only full batches leave, unless there is none.
    """
    counts = set(unresolved)
    loads: dict[tuple[tuple[str, ...], str | None, bool, str], _Load] = {}
    for request in waiting:
        if request.lane is Lane.SYNC:
            yield Plan((request.id,), request.betas, request.size + ROW_OVERHEAD, Lane.SYNC, request.version)
            continue
        if room <= 0:
            continue
        room -= 1
        long = request.max_tokens > limits.long_tokens
        trip = (request.betas, request.version, long, request.cohort)
        load = loads.get(trip)
        most = limits.long_max_requests if long else limits.max_requests
        left: list[Waiting] = []
        if load is not None and not load.takes(request, limits.max_bytes):
            left = load.shorten(counts, limits.max_bytes - request.size - ROW_OVERHEAD)
            counts.add(len(load.requests))
            yield load.planned()
            load = None
        if load is None:
            load = loads[trip] = _Load(_capacity(most, counts))
        for each in (*left, request):
            load.put(each)
    patient = more and counts != set(unresolved)
    for (_, _, _, cohort), load in loads.items():
        if len(load.requests) >= load.capacity:
            load.shorten(counts, limits.max_bytes)  # who is left out waits for the next plan, which is made at once
            counts.add(len(load.requests))
            yield load.planned()
        elif not patient and (cohort or not load.lingers(limits, arriving, now)):
            yield load.planned()


def halves(count: int) -> tuple[range, range]:
    """Cut the rows of a refused batch in two: trip by trip, what is wrong in it is found and the rest goes on.

    Args:
        count: Of its rows, from 2.
    """
    return range(count // 2), range(count // 2, count)


def resent_as_a_whole(batch: Batch, *, any_delivered: bool) -> bool:
    """Whether a held batch may be sent again as it is; else it is settled, and its other requests wait again.

    As it is goes only what nobody knows to have been created: whatever else was sent may have been charged, and counts
    with its own trip, whether it is a batch that has a name at the API or a message that broke off.

    Args:
        batch: It.
        any_delivered: Whether some of its results were delivered: the batch itself would carry them all.
    """
    return batch.lane is Lane.BATCH and batch.remote_id is None and not any_delivered


def _capacity(most: int, taken: Collection[int]) -> int:
    """The largest count that no unresolved batch has; more than half of what is allowed, or else all of it."""
    return next((count for count in range(most, most // 2, -1) if count not in taken), most)

"""Which waiting requests travel together: a pure plan that loses nothing, doubles nothing and keeps every limit."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from batchd.model import Lane, Plan, RequestId, Waiting

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


@dataclass(slots=True)
class _Load:
    """A batch that is being filled."""

    capacity: int
    since: float
    requests: list[RequestId] = field(default_factory=list)
    size: int = 0

    def takes(self, request: Waiting, max_bytes: int) -> bool:
        """Whether there is still place; an empty load takes anything, however large."""
        fits = self.size + request.size + ROW_OVERHEAD <= max_bytes
        return not self.requests or (fits and len(self.requests) < self.capacity)

    def put(self, request: Waiting) -> None:
        self.requests.append(request.id)
        self.size += request.size + ROW_OVERHEAD


def plan(  # noqa: PLR0913  each is one fact that the plan depends on
    waiting: Iterable[Waiting],
    limits: Limits,
    *,
    now: float,
    room: int,
    unresolved: Collection[int] = (),
    more: bool = False,
) -> Iterator[Plan]:
    """Cut waiting requests into batches, first come first served; those of the sync lane travel alone, at once.

    Requests travel together when they have the same betas and version (headers belong to a whole batch), are both
    long or both not, and are of one cohort. A batch leaves when it is full or when its oldest request has waited
    `linger`; a cohort's batch leaves at once. While a batch of some count is unresolved, a full one is cut a
    row shorter: the count is the only fingerprint by which the API's list can tell two batches apart.

    Args:
        waiting: The requests, oldest first.
        limits: What a batch may hold.
        now: Unix seconds.
        room: How many more requests may be queued at the API.
        unresolved: Counts of the batches whose create is not answered yet.
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
        if load is not None and not load.takes(request, limits.max_bytes):
            counts.add(len(load.requests))
            yield Plan(tuple(load.requests), request.betas, load.size, version=request.version)
            load = None
        if load is None:
            most = limits.long_max_requests if long else limits.max_requests
            load = loads[trip] = _Load(_capacity(most, counts), request.since)
        load.since = min(load.since, request.since)
        load.put(request)
    patient = more and counts != set(unresolved)
    for (betas, version, _, cohort), load in loads.items():
        full = len(load.requests) >= load.capacity
        # A clock that was set back while nobody ran must not make anybody linger until it is that late again.
        due = cohort or not 0 <= now - load.since < limits.linger
        if full or (due and not patient):
            yield Plan(tuple(load.requests), betas, load.size, version=version)


def halves(count: int) -> tuple[range, range]:
    """Cut the rows of a refused batch in two: trip by trip, what is wrong in it is found and the rest goes on.

    Args:
        count: Of its rows, from 2.
    """
    return range(count // 2), range(count // 2, count)


def resent_as_a_whole(lane: Lane, *, any_delivered: bool) -> bool:
    """Whether a held batch may be sent again as it is; else it is settled, and its other requests wait again.

    Args:
        lane: Its lane; the cost of a message that broke off stays with its trip, and the next one has another.
        any_delivered: Whether some of its results were delivered: the batch itself would carry them all.
    """
    return lane is Lane.BATCH and not any_delivered


def _capacity(most: int, taken: Collection[int]) -> int:
    """The largest count that no unresolved batch has; more than half of what is allowed, or else all of it."""
    return next((count for count in range(most, most // 2, -1) if count not in taken), most)

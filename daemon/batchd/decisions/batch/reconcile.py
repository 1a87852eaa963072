"""A create without an answer: which batch it made, if any. Pure: the finder looks, this decides.

The API has no idempotency key and a batch cannot be tagged, so what is left is: batches newer than the one that
was newest before the POST, whose counts sum to ours, that nobody else owns; and, once such a batch has ended,
the custom_ids of its results, which name our requests.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from batchd.model import Batch, BatchId, Evidence, Intent, RemoteBatch, RemoteId

MARGIN = 600.0
"""Seconds by which `created_at` of one machine may lag behind the `Date` of another, at the edge of the same API."""
GRAIN = 1.0
"""Seconds that the `Date` header cuts off: the time between two of them is known no better."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Read the first result of each of these ended batches: its custom_id tells whose it is."""

    remotes: tuple[RemoteBatch, ...]


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take this running batch as ours until its results say otherwise."""

    remote: RemoteBatch


@dataclass(frozen=True, slots=True)
class Look:
    """Look again later."""


@dataclass(frozen=True, slots=True)
class Resend:
    """Nothing was created: the next attempt may go."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must decide."""

    reason: str


Decision = Probe | Adopt | Look | Resend | Hold


def first_intent(batch: Batch, fresh: Intent) -> Intent:
    """Say what must be on disk before a create.

    The first baseline of a batch is kept for all its attempts, so that what an earlier one made is seen though it
    shows late; unless that one went elsewhere.

    Args:
        batch: A planned one.
        fresh: What is known of the API just now.
    """
    before = batch.intent
    same = before is not None and (before.origin, before.organization) == (fresh.origin, fresh.organization)
    return before if before is not None and same else fresh


def contradiction(remote: RemoteBatch, intent: Intent, owner: BatchId | None) -> str | None:
    """Say what is odd about the answer to a create, so that it does not show which batch was made; None if nothing.

    Args:
        remote: What the answer names.
        intent: What was sent.
        owner: Which batch of ours that is already.
    """
    if owner is not None:
        return f"the answer to its create names {remote.id}, which is batch {owner} already"
    if remote.id == intent.baseline_id:
        return f"the answer to its create names {remote.id}, which was there before"
    if remote.counts.total not in {0, intent.count}:
        return f"the answer to its create names {remote.id}, of {remote.counts.total} requests and not {intent.count}"
    return None


def elsewhere(intent: Intent, *, origin: str, organization: str | None) -> str | None:
    """Say why a create cannot be looked for where the API is asked now; None if it can.

    Args:
        intent: What was sent.
        origin: Where the API is asked now.
        organization: Whose key it is now, as far as the API says.
    """
    if intent.origin is not None and intent.origin != origin:
        return f"its create went to {intent.origin}, and the API is {origin} now: set api.base_url back, or decide"
    if None not in {intent.organization, organization} and intent.organization != organization:
        return f"its create went to organization {intent.organization}, and the key is of {organization} now"
    return None


@dataclass(frozen=True, slots=True)
class Newer:
    """What the API's list has that may have been made by a create."""

    batches: tuple[RemoteBatch, ...]
    anchored: bool
    """Whether the baseline is in the list, so that it is surely the same list."""
    ordered: bool
    """Whether it is newest first, each batch once, as the API promises."""


def newer(entries: Sequence[RemoteBatch], intent: Intent, *, whole: bool, gone: bool) -> Newer | None:
    """Pick what is newer than an intent from as much of the list as was read; None where more of it must be read.

    While the baseline is in the list, position alone tells what is newer, whatever the clocks say. Time tells it, with
    a wide margin, only where the baseline is gone or the list is in another order: a candidate more costs nothing.

    Args:
        entries: The list, as far as it was read.
        intent: What was sent.
        whole: Whether that is all of it.
        gone: Whether the API does not know the baseline any more.
    """
    ordered = len({remote.id for remote in entries}) == len(entries) and _newest_first(entries)
    place = next((place for place, remote in enumerate(entries) if remote.id == intent.baseline_id), None)
    anchored = place is not None or intent.baseline_id is None
    if ordered and place is not None:
        found = _before(entries, place, whole=whole)
    else:
        found = _young(entries, intent, whole=whole, passed=ordered and gone)
    return None if found is None else Newer(found, anchored, ordered)


def _before(entries: Sequence[RemoteBatch], place: int, *, whole: bool) -> tuple[RemoteBatch, ...] | None:
    """Pick what stands before the baseline; one of the same instant may stand on either side."""
    baseline, behind = entries[place], entries[place + 1 :]
    tied = tuple(takewhile(lambda remote: remote.created_at == baseline.created_at, behind))
    return (*entries[:place], *tied) if whole or len(tied) < len(behind) else None


def _young(
    entries: Sequence[RemoteBatch], intent: Intent, *, whole: bool, passed: bool
) -> tuple[RemoteBatch, ...] | None:
    """Pick what time says is newer; of a list that was not read to its end only where its order shows the rest older.

    Args:
        entries: The list, as far as it was read.
        intent: What was sent.
        whole: Whether that is all of it.
        passed: Whether it is newest first, and the baseline gone.
    """
    young = tuple(takewhile(lambda remote: not _older(remote, intent), entries))
    if passed and len(young) < len(entries):
        return young
    if not whole:
        return None
    distinct = {remote.id: remote for remote in entries if remote.id != intent.baseline_id}.values()
    if intent.baseline_id is None:
        return tuple(distinct)
    return tuple(remote for remote in distinct if not _older(remote, intent))


def passed_by(entries: Iterable[RemoteBatch], intent: Intent) -> bool:
    """Whether the list goes back beyond the intent without showing its baseline: is that gone?"""
    entries = tuple(entries)
    seen = any(remote.id == intent.baseline_id for remote in entries)
    return intent.baseline_id is not None and not seen and any(_older(remote, intent) for remote in entries)


def _newest_first(entries: Sequence[RemoteBatch]) -> bool:
    return all(before.created_at >= after.created_at for before, after in pairwise(entries))


def _older(remote: RemoteBatch, intent: Intent) -> bool:
    return remote.created_at < intent.baseline_time - MARGIN - GRAIN


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the list has shown."""

    free: tuple[RemoteBatch, ...] = ()
    """Batches that may be ours."""
    contested: tuple[RemoteBatch, ...] = ()
    """Batches that may be ours, but that another batch of ours believes to be its own, for their count alone."""


def sight(
    listing: Iterable[RemoteBatch],
    intent: Intent,
    *,
    owners: Mapping[RemoteId, Evidence],
    disproved: Collection[RemoteId],
) -> Sight:
    """Pick the batches that may be ours; one of unknown counts may be.

    Args:
        listing: What is newer than the intent.
        intent: What was sent.
        owners: Batches that other rows own, and what makes them believe it.
        disproved: Batches whose results have shown that they are not ours.
    """
    possible = [remote for remote in listing if remote.counts.total in {0, intent.count} and remote.id not in disproved]
    return Sight(
        free=tuple(remote for remote in possible if remote.id not in owners),
        contested=tuple(remote for remote in possible if owners.get(remote.id) is Evidence.COUNT),
    )


def decide(seen: Sight, before: Sight | None, *, waited: float, doubt: float, anchored: bool) -> Decision:
    """Decide what one look at the list means.

    An ended candidate is asked whose it is. A single running one is adopted, to be verified when it ends; of
    several, none, until one ends. While there is any, nothing is ever sent again; nor while another of our batches
    holds one that it has not proved: it may hold ours.

    Args:
        seen: The candidates of this look.
        before: Those of the look before it; None at the first.
        waited: Seconds since the doubt arose, by the server's clock.
        doubt: Seconds an unanswered create may take to show in the list.
        anchored: Whether it is surely the list in which a batch would show.
    """
    ended = tuple(remote for remote in seen.free if remote.ended)
    if ended:
        return Probe(ended)
    if len(seen.free) == 1 and not seen.contested:
        return Adopt(seen.free[0])
    if seen == before == Sight() and waited - GRAIN >= doubt:
        return Resend() if anchored else Hold(UNKNOWN)
    return Look()


UNKNOWN = (
    "the API does not know the batch that was its newest before the create: "
    "the key may be another workspace's, or that batch was deleted"
)

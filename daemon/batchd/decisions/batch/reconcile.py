"""A create without an answer: which batch it made, if any. Pure: the courier looks, this decides.

The API has no idempotency key and a batch cannot be tagged, so what is left is: batches newer than the one that
was newest before the POST, whose counts sum to ours, that nobody else owns; and, once such a batch has ended,
the custom_ids of its results, which begin with our nonce.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from batchd.model import Evidence, RemoteBatch, RemoteId

CLOCK_GRAIN = 2.0
"""Seconds by which `created_at` and `Date` of one server may differ: `Date` has whole seconds only."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What was on disk before the POST."""

    count: int
    baseline_id: RemoteId | None
    """The newest batch at that time; None where the list was empty."""
    baseline_time: float
    """Unix seconds by the server's clock."""


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


Decision = Probe | Adopt | Look | Resend


def older(remote: RemoteBatch, intent: Intent) -> bool:
    """Whether this batch, and so all after it in the list (newest first), is older than the intent.

    Args:
        remote: A batch of the list.
        intent: What was sent.
    """
    return remote.id == intent.baseline_id or remote.created_at < intent.baseline_time - CLOCK_GRAIN


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
    """Pick the batches that may be ours.

    Args:
        listing: The API's list, newest first, back to the baseline.
        intent: What was sent.
        owners: Batches that other rows own, and what makes them believe it.
        disproved: Batches whose results have shown that they are not ours.
    """
    possible = [
        remote
        for remote in listing
        if not older(remote, intent) and remote.counts.total == intent.count and remote.id not in disproved
    ]
    return Sight(
        free=tuple(remote for remote in possible if remote.id not in owners),
        contested=tuple(remote for remote in possible if owners.get(remote.id) is Evidence.COUNT),
    )


def decide(seen: Sight, before: Sight | None, *, waited: float, doubt: float) -> Decision:
    """Decide what one look at the list means.

    An ended candidate is asked whose it is. A single running one is adopted, to be verified when it ends; of
    several, none, until one ends. While there is any, nothing is ever sent again; nor while another of our batches
    holds one that it has not proved: it may hold ours.

    Args:
        seen: The candidates of this look.
        before: Those of the look before it; None at the first.
        waited: Seconds since the doubt arose, by the server's clock.
        doubt: Seconds an unanswered create may take to show in the list.
    """
    ended = tuple(remote for remote in seen.free if remote.ended)
    if ended:
        return Probe(ended)
    if len(seen.free) == 1 and not seen.contested:
        return Adopt(seen.free[0])
    if seen == before == Sight() and waited >= doubt:
        return Resend()
    return Look()

"""A batch that the API refuses whole: is it about one of its requests, or about everybody?

Without knowing the wording: when two batches that share no request are refused alike, and none was taken in between, it
is not about a request. A refusal that names a request is about that one.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256

from batchd.model import BatchId

_NAMES_A_REQUEST = re.compile(r"\brequests?\b[.\[ #]*\d+")


class About(Enum):
    """What a refusal is about."""

    REQUEST = auto()
    """One of its requests, or several: cut in two, what is wrong is found and the rest goes on."""
    EVERYBODY = auto()
    """The account, or what all batches have in common: nothing of it is sent until that is over."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A batch that the API has refused."""

    batch: BatchId
    parent: BatchId | None
    """The batch whose half it is; None where it was planned from requests that wait."""
    digest: str
    """Of what the API said."""
    refuted: bool = False
    """Whether a batch like it was taken since, so that it cannot have been about everybody."""


def digest_of(kind: str, said: str) -> str:
    """Make what is kept of a refusal: whether two are alike, and nothing of what they say."""
    return sha256(f"{kind}: {said}".encode("utf-8", "replace")).hexdigest()


def about(found: Refusal, count: int, said: str, others: Collection[Refusal]) -> About:
    """Decide what a refusal is about.

    Args:
        found: The refusal.
        count: How many requests the batch has.
        said: What the API said.
        others: Earlier refusals of batches like it (that have the same betas), its own and its ancestors' among them.
    """
    before = {each.batch: each for each in others}
    family = {found.batch, *_ancestors(found, before)}
    if _NAMES_A_REQUEST.search(said) or any(before[batch].refuted for batch in family & before.keys()):
        return About.REQUEST
    alike = [each for each in before.values() if each.digest == found.digest and not each.refuted]
    if any(each.batch not in family and not _descends(each, found.batch, before) for each in alike):
        return About.EVERYBODY
    # A single half that is refused as the whole was: its other half will tell.
    undecided = count == 1 and any(each.batch == found.parent for each in alike)
    return About.EVERYBODY if undecided else About.REQUEST


def _ancestors(found: Refusal, before: dict[BatchId, Refusal]) -> Iterator[BatchId]:
    each: Refusal | None = found
    while each is not None and each.parent is not None:
        yield each.parent
        each = before.get(each.parent)


def _descends(each: Refusal, batch: BatchId, before: dict[BatchId, Refusal]) -> bool:
    return batch in _ancestors(each, before)

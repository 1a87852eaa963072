"""By which lane a request goes: batches, at half the price within 24 hours, or at once, as a stream.

The rule of thumb (docs/costs.md): up to the synchronous cap, under a hundred independent requests, needed now, that is
what the synchronous API is for; all else belongs into batches. Only the user knows what is needed when, so `auto` goes
by a deadline that is said.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from batchd.claude.catalogue import ModelFacts
from batchd.model import BETA_300K, Lane
from batchd.text.strictjson import Flaw, Json

BATCH_LIFE: Final = 86_400.0
"""Seconds within which a batch ends (docs: batch processing): who needs it sooner cannot count on one."""
WISHES: Final = ("batch", "sync", "auto")


def check_lane(value: Json, path: str) -> Iterator[Flaw]:
    """Check the setting `lane`.

    Args:
        value: As written.
        path: Its place.
    """
    if value not in WISHES:
        yield Flaw(path, f"must be one of {', '.join(WISHES)}; auto goes by needed_by")


def check_needed_by(value: Json, path: str) -> Iterator[Flaw]:
    """Check the setting `needed_by`.

    Args:
        value: As written.
        path: Its place.
    """
    if not isinstance(value, str) or _moment(value) is None:
        yield Flaw(path, 'must be a moment with its time zone, in quotes, such as "2026-11-24T07:00:00+01:00"')


def choose(wish: str | None, needed_by: str | None, max_tokens: int, facts: ModelFacts, now: float) -> Lane:
    """Say by which lane a request goes.

    Args:
        wish: One of `WISHES`; None goes by `needed_by`, if that is said.
        needed_by: A moment; None for whenever.
        max_tokens: Of the request.
        facts: Of its model.
        now: Unix seconds.
    """
    if wish in {"batch", "sync"}:
        return Lane(wish)
    moment = _moment(needed_by) if needed_by else None
    soon = moment is not None and moment - now < BATCH_LIFE
    return Lane.SYNC if soon and max_tokens <= facts.max_output else Lane.BATCH


def check_fit(lane: Lane, max_tokens: int, betas: tuple[str, ...], facts: ModelFacts) -> Iterator[Flaw]:
    """Check whether a request can go by its lane.

    Args:
        lane: Which.
        max_tokens: Of the request.
        betas: Those that were asked for.
        facts: Of its model.
    """
    if lane is not Lane.SYNC:
        return
    if max_tokens > facts.max_output:
        said = f"by lane sync {facts.name} writes at most {facts.max_output:,} tokens; more is for batches alone"
        yield Flaw("max_tokens", said)
    elif BETA_300K in betas:
        yield Flaw("betas", f"{BETA_300K} is for batches alone; leave it out, or use lane batch")


def caution(lane: Lane, needed_by: str | None, max_tokens: int, facts: ModelFacts, now: float) -> str | None:
    """Say what a user should know who cannot have it as soon as needed; None where all is well.

    Args:
        lane: By which it goes.
        needed_by: A moment; None for whenever.
        max_tokens: Of the request.
        facts: Of its model.
        now: Unix seconds.
    """
    moment = _moment(needed_by) if needed_by else None
    if lane is Lane.SYNC or moment is None or moment - now >= BATCH_LIFE:
        return None
    late = "it is needed sooner than a batch promises to end, which is within 24 hours"
    if max_tokens > facts.max_output:
        return f"{late}; over {facts.max_output:,} tokens there are batches alone"
    return f"{late}; lane sync would answer at once, at twice the price"


def _moment(said: str) -> float | None:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()

"""By which lane a request goes: in a batch, at half the price within 24 hours, or by the sync lane, as a stream.

The rule of thumb (docs/costs.md): up to the synchronous cap, under a hundred independent requests, needed now, that is
what the sync lane is for; all else belongs into batches. Only the user knows what is needed when, so `auto` goes by a
deadline that is said.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from batchd.claude.catalogue import ModelFacts
from batchd.model import BETA_300K, Lane
from batchd.text.strictjson import Flaw, Json

BATCH_LIFE: Final = 86_400.0
"""Seconds within which a batch ends (docs: batch processing): who needs it sooner cannot count on one."""
LONG_PAST: Final = 365 * 86_400.0
"""Seconds after which a moment that is over is a slip of the pen rather than a wish."""
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


def choose(needed_by: str | None, max_tokens: int, facts: ModelFacts, now: float) -> Lane:
    """Say by which lane a request goes that names none, or `auto`.

    Args:
        needed_by: A moment; None for whenever.
        max_tokens: Of the request.
        facts: Of its model.
        now: Unix seconds.
    """
    moment = _moment(needed_by) if needed_by else None
    soon = moment is not None and moment - now < BATCH_LIFE
    return Lane.SYNC if soon and max_tokens <= facts.max_output else Lane.BATCH


def check_fit(  # noqa: PLR0913  what decides about a lane
    lane: Lane, max_tokens: int, betas: tuple[str, ...], facts: ModelFacts, needed_by: str | None = None, now: float = 0
) -> Iterator[Flaw]:
    """Check whether a request can go by its lane.

    Args:
        lane: Which.
        max_tokens: Of the request.
        betas: Those that were asked for.
        facts: Of its model.
        needed_by: The moment that has decided about the lane; None where the user has.
        now: Unix seconds.
    """
    if lane is not Lane.SYNC:
        return
    moment = _moment(needed_by) if needed_by else None
    if moment is not None and now - moment > LONG_PAST:
        said = f"{needed_by} was over a year ago: correct the year, leave needed_by out, or say lane: sync"
        yield Flaw("needed_by", said)
    if max_tokens > facts.max_output:
        said = f"by lane sync {facts.name} writes at most {facts.max_output:,} tokens; more is for batches alone"
        yield Flaw("max_tokens", said)
    elif BETA_300K in betas:
        yield Flaw("betas", f"{BETA_300K} is for batches alone; leave it out, or use lane batch")


def caution(lane: Lane, needed_by: str | None, max_tokens: int, facts: ModelFacts, now: float) -> str | None:
    """Say what a user should know who cannot have it as soon as needed, or said a moment that is over; else None.

    Args:
        lane: By which it goes.
        needed_by: A moment; None for whenever.
        max_tokens: Of the request.
        facts: Of its model.
        now: Unix seconds.
    """
    moment = _moment(needed_by) if needed_by else None
    if moment is None or moment - now >= BATCH_LIFE:
        return None
    if lane is Lane.SYNC:
        over = f"{needed_by} is over; it goes by lane sync, at twice the price of a batch: is that moment right?"
        return over if moment < now else None
    late = "it is needed sooner than a batch promises to end, which is within 24 hours"
    if max_tokens > facts.max_output:
        return f"{late}; over {facts.max_output:,} tokens there are batches alone"
    return f"{late}; lane sync would answer in seconds to minutes, at twice the price"


def _moment(said: str) -> float | None:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()

"""What a request can cost at the most, and whether a budget has room for it.

Amounts are whole picodollars (1e-12 USD), as the store keeps them, so that sums are exact. The bound holds because no
token is shorter than a byte; what a request names by URL or file id, and what server tools cost, is not in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from batchd.claude.price import from_picodollars, prices_of
from batchd.model import Entry, JobId, Lane, RequestId, Waiting

_CACHES = b'"cache_control":{'
_BREAKPOINT = b'[{"type":"text","text":,"cache_control":{"type":"ephemeral","ttl":"1h"}}]'
"""What is added to a request, at the most, that is to be cached."""
_COUNT_MARGIN = 20
"""A twentieth more, and as many tokens."""
_COUNTABLE = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"}
    | {"billing_policy", "compaction", "context_management", "mcp_servers"}
)
_LONG_PROMPT = 100_000
"""Bytes from which a prompt may be of a dearer tier."""
_ROUND_PROMPT = 4_000
"""Bytes, at the most, of what is said to the model to make it go on."""


class Prompt(NamedTuple):
    """What is read, as far as it costs."""

    tokens: int
    """At the most."""
    cached: bool
    """Whether it may be written to the cache, which is dearer than to read it."""

    @classmethod
    def bounded(cls, params: bytes) -> "Prompt":
        """Bound it offline: no token is shorter than a byte.

        Args:
            params: Of the request.
        """
        return cls(len(params), _CACHES in params)

    @classmethod
    def counted(cls, tokens: int, params: bytes) -> "Prompt":
        """Bound it by what the API has counted, which may differ a little from what is charged (docs: token counting).

        Args:
            tokens: As counted.
            params: Of the request.
        """
        return cls(min(tokens + tokens // _COUNT_MARGIN + _COUNT_MARGIN, len(params)), _CACHES in params)


def countable(params: bytes) -> bytes:
    """Make a body for token counting, which does not take all that a message does (SDK: message_count_tokens_params).

    Args:
        params: Of the request, as JSON.
    """
    found = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in found.items() if name in _COUNTABLE})


def worst_of(entry: Entry) -> int | None:
    """Bound what a request can cost, before anything of it was sent.

    Args:
        entry: A checked one.

    Returns:
        Picodollars; None where the price is not known.
    """
    # What may be given a breakpoint is reckoned as if it had one.
    params = entry.params + _BREAKPOINT if entry.cache else entry.params
    allowance = entry.rounds * entry.max_tokens
    prompt = Prompt.bounded(params)
    return worst_case(prompt, entry.model, entry.max_tokens, entry.rounds, allowance, lane=entry.lane)


def worst_case(  # noqa: PLR0913  each makes it dearer
    prompt: Prompt, model: str, max_tokens: int, rounds: int = 0, allowance: int = 0, *, lane: Lane = Lane.BATCH
) -> int | None:
    """Bound what a request can cost, all rounds of its continuation included.

    What is written is bounded by `max_tokens + allowance`. What is read is the prompt in each round, and in each but
    the first the text so far: at the most what the first wrote, and from then on all that may be written.

    Args:
        prompt: What is sent in the next round.
        model: Its model.
        max_tokens: Of the next round.
        rounds: How many more may follow it.
        allowance: Tokens that those may write together.
        lane: By which it is sent.

    Returns:
        Picodollars; None where the price is not known.
    """
    repeated = max_tokens + (rounds - 1) * (max_tokens + allowance) if rounds else 0
    read = prompt.tokens * (rounds + 1) + repeated + rounds * _ROUND_PROMPT
    prices = prices_of(model, caches=prompt.cached or rounds > 0, long=read >= _LONG_PROMPT, lane=lane)
    if prices is None:
        return None
    reading, writing = prices
    return read * reading + (max_tokens + allowance) * writing


@dataclass(frozen=True, slots=True)
class Limit:
    """What one job may spend, and has spent or reserved."""

    budget: int | None
    """None: any amount."""
    committed: int = 0


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent just now."""

    today: Limit
    jobs: Mapping[JobId, Limit]
    released: frozenset[JobId] = frozenset()
    """Jobs that a person has let go whatever they cost."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a job is not sent."""

    reason: str
    first: RequestId
    """It, and whatever comes after it in its job, is held."""
    until_tomorrow: bool = False
    """Whether the next day brings room of itself."""


@dataclass(slots=True)
class Allowance:
    """What may travel, and which jobs are held."""

    fitting: list[Waiting] = field(default_factory=list)
    holds: dict[JobId, Hold] = field(default_factory=dict)


def afford(waiting: Iterable[Waiting], purse: Purse) -> Allowance:
    """Let those requests travel whose worst case every budget has room for; hold the jobs of the others.

    First come, first served; from the first request that does not fit, nothing more of its job is begun, so that what
    is held is what comes last. What was promised to an unfinished document is in the purse's sums already.

    Args:
        waiting: The requests, oldest first.
        purse: What may be spent.
    """
    allowed = Allowance()
    committed = {job: limit.committed for job, limit in purse.jobs.items()}
    today = purse.today.committed
    for request in waiting:
        if request.promised and request.worst is not None:
            allowed.fitting.append(request)
            continue
        if request.job in allowed.holds:
            continue
        limit = purse.jobs.get(request.job, Limit(None))
        spent = committed.get(request.job, limit.committed)
        if request.job not in purse.released:
            hold = _objection(request, limit.budget, spent, purse.today.budget, today)
            if hold is not None:
                allowed.holds[request.job] = hold
                continue
        allowed.fitting.append(request)
        committed[request.job] = spent + (request.worst or 0)
        today += request.worst or 0
    return allowed


def _objection(request: Waiting, budget: int | None, spent: int, per_day: int | None, today: int) -> Hold | None:
    budgets = [each for each in (request.budget, budget, per_day) if each is not None]
    if not budgets:
        return None
    if request.worst is None:
        return Hold("the price of its model is not known, and it has a budget", request.id)
    if request.budget is not None and request.worst > request.budget:
        said = f"a request may cost {dollars(request.worst)}, and its budget is {dollars(request.budget)}"
        return Hold(said, request.id)
    if budget is not None and spent + request.worst > budget:
        return Hold(
            f"the budget of the job is {dollars(budget)}, {dollars(spent)} of it are spent or reserved, "
            f"and the next request may cost {dollars(request.worst)}",
            request.id,
        )
    if per_day is not None and today + request.worst > per_day:
        return Hold(
            f"the budget of the day is {dollars(per_day)}, {dollars(today)} of it are spent or reserved, "
            f"and the next request may cost {dollars(request.worst)}",
            request.id,
            until_tomorrow=True,
        )
    return None


def dollars(picodollars: int) -> str:
    """Write an amount for a person.

    Args:
        picodollars: The amount.
    """
    usd = from_picodollars(picodollars)
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:,.4f}"

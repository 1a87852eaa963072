"""What a job file can cost at the most, what it will cost about, and what requests like its own have come to before."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import anyio

from batchd.claude.catalogue import Catalogue
from batchd.claude.price import from_picodollars, price, to_picodollars
from batchd.claude.prompt_size import measure, region_of, window_of
from batchd.decisions.money.worst_case import worst_of
from batchd.errors import BatchdError
from batchd.model import Cost, Entry, Foreseen, Lane, Usage
from batchd.settings import Settings

ENOUGH: Final = 20
"""Answers of a kind without which nothing is said about the next one."""
_NEWEST: Final = 1_000
"""Answers of a kind that are looked at."""
_ORDER: Final = 2
"""Two powers of two make an order: 16,384 to 65,535 is one, 65,536 to 262,143 the next."""


class Kind(NamedTuple):
    """Requests that are likely to get answers of similar length."""

    model: str
    least: int
    """Of `max_tokens`."""
    most: int

    @classmethod
    def of(cls, model: str, max_tokens: int) -> "Kind":
        """Say of which kind a request is.

        Args:
            model: Its model.
            max_tokens: Its ceiling.
        """
        power = (max_tokens.bit_length() - 1) // _ORDER * _ORDER
        return cls(model, 1 << power, (1 << power + _ORDER) - 1)


@dataclass(frozen=True, slots=True)
class History:
    """How long the answers to earlier requests were."""

    lengths: Mapping[Kind, Sequence[int]] = field(default_factory=dict)
    """Tokens of output, all rounds of a request together, shortest first."""
    sandbox: bool = False
    """Whether the daemon worked with the sandbox last: then they tell of no model."""
    trouble: str = ""
    """Why it could not be read; empty where it could, or where there is none."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file will cost if its answers are like earlier ones; None where too few are known."""

    answers: int
    """Of the kind of which the fewest are known."""
    median: Decimal | None = None
    """If each answer is as long as the median."""
    high: Decimal | None = None
    """If each is as long as 95 of 100 stay below."""


class _Terms(NamedTuple):
    """What decides the price of a token, and the likely length of an answer."""

    kind: Kind
    lane: Lane
    geo: str | None


@dataclass(slots=True)
class _Sum:
    """Of some requests, in picodollars; None once one price is not known."""

    requests: int = 0
    worst: int | None = 0
    read: int | None = 0
    written: int = 0
    """Tokens, each answer as long as its `max_tokens`."""


@dataclass(slots=True)
class Estimate:
    """The price of all requests of a file.

    The worst case is the one that the daemon reserves: see `decisions.money.worst_case`, and docs/costs.md for what
    it does not hold.
    """

    models: Counter[str] = field(default_factory=Counter)
    continued: int = 0
    """Requests that may be continued."""
    rounds: int = 0
    """How often, at the most."""
    budget: Decimal | None = None
    """USD that bound requests of which nobody knows how many there will be; None where all are counted."""
    _sums: dict[_Terms, _Sum] = field(default_factory=dict)

    @property
    def kinds(self) -> Collection[Kind]:
        """The kinds of the requests whose price is known."""
        return {terms.kind for terms, whole in self._sums.items() if whole.read is not None}

    @property
    def unpriced(self) -> Sequence[str]:
        """What has no price: models, with the region where one is asked for."""
        names = (f"{terms.kind.model} in {terms.geo}" if terms.geo else terms.kind.model for terms in self._sums)
        priced = (whole.read is not None and whole.worst is not None for whole in self._sums.values())
        return list(dict.fromkeys(name for name, known in zip(names, priced, strict=True) if not known))

    def foresee(self, foreseen: Iterable[Foreseen], budget: Decimal | None, catalogue: Catalogue) -> None:
        """Count what later steps ask, as far as that is known; what a list decides its job's budget bounds."""
        for each in foreseen:
            if each.counted:
                self.add(each.entry, catalogue, each.worst)
            else:
                self.budget = budget

    def add(self, entry: Entry, catalogue: Catalogue, worst: int | None = None) -> None:
        """Count a checked request.

        Args:
            worst: Picodollars that it can cost, where its prompt will be longer than it is yet.
        """
        self.models[entry.model] += 1
        self.continued += entry.rounds > 0
        self.rounds = max(self.rounds, entry.rounds)
        terms = _Terms(Kind.of(entry.model, entry.max_tokens), entry.wishes.lane, region_of(entry.params))
        whole = self._sums.setdefault(terms, _Sum())
        facts = catalogue.find(entry.model)
        about = measure(entry.params, facts).within(window_of(facts, entry.betas)).about
        worst = worst_of(entry, catalogue) if worst is None else worst
        read = _price(terms, Usage(input_tokens=about))
        whole.requests += 1
        whole.worst = None if worst is None or whole.worst is None else whole.worst + worst
        whole.read = None if read is None or whole.read is None else whole.read + read
        whole.written += entry.max_tokens

    def worst(self) -> Cost:
        """Price every prompt at its bound, every answer as long as it may be, and every round of its continuation."""
        counted = _total((terms, whole.worst) for terms, whole in self._sums.items())
        if self.budget is None or not counted.charged or counted.standard is None:
            return counted
        most = max(counted.charged, self.budget)
        return Cost(most, most * counted.standard / counted.charged)

    def about(self) -> Cost:
        """Price prompts of the usual length, nothing cached or continued, and answers as long as `max_tokens`."""
        return _total((terms, _with(whole, terms, whole.written)) for terms, whole in self._sums.items())

    def expected(self, history: History) -> Expected:
        """Price prompts of the usual length, and answers as long as earlier ones to requests of the same kinds."""
        found = {terms: history.lengths.get(terms.kind, ()) for terms in self._sums}
        answers = min(map(len, found.values()), default=0)
        if answers < ENOUGH:
            return Expected(answers)
        median, high = (
            _total(
                (terms, _with(whole, terms, whole.requests * percentile(found[terms], share)))
                for terms, whole in self._sums.items()
            ).charged
            for share in (50, 95)
        )
        return Expected(answers, median, high)


def read_history(settings: Settings, kinds: Collection[Kind]) -> History:
    """Read how long earlier answers were, whether or not a daemon runs; nothing is made or changed.

    Args:
        settings: Where the database is; where there is none, there is no history.
        kinds: Of which requests.
    """
    database = settings.database
    if isinstance(database, Path) and not database.exists():
        return History()
    return anyio.run(_read_history, database, kinds)


async def _read_history(database: Path | str, kinds: Collection[Kind]) -> History:
    from batchd.edges.store import look_into_store  # noqa: PLC0415  see above

    try:
        async with look_into_store(database) as store:
            lengths = {kind: sorted(await store.spending.lengths(*kind, newest=_NEWEST)) for kind in kinds}
            return History(lengths, await store.facts.of_sandbox())
    except BatchdError as error:
        return History(trouble=str(error))


def percentile(lengths: Sequence[int], share: int) -> int:
    """Find the length that so many of a hundred do not exceed.

    Args:
        lengths: Shortest first; at least one.
        share: Of a hundred, above 0.
    """
    return lengths[-(-len(lengths) * share // 100) - 1]


def _price(terms: _Terms, usage: Usage) -> int | None:
    return to_picodollars(price(usage, terms.kind.model, terms.lane, terms.geo).charged)


def _with(whole: _Sum, terms: _Terms, written: int) -> int | None:
    """Add what is written to what is read."""
    writing = _price(terms, Usage(output_tokens=written))
    return None if writing is None or whole.read is None else whole.read + writing


def _total(amounts: Iterable[tuple[_Terms, int | None]]) -> Cost:
    """Sum up picodollars; one unknown price makes the sum unknown."""
    charged = standard = Decimal(0)
    for terms, amount in amounts:
        dearer = _dearer(terms.kind.model, terms.lane)
        if amount is None or dearer is None:
            return Cost(None, None)
        charged += from_picodollars(amount)
        standard += from_picodollars(amount) * dearer
    return Cost(charged, standard)


@lru_cache(maxsize=256)
def _dearer(model: str, lane: Lane) -> Decimal | None:
    """How many times as much the same tokens cost without batches."""
    kinds = (Usage(input_tokens=1_000), Usage(output_tokens=1_000), Usage(cache_write_1h_tokens=1_000))
    costs = [price(usage, model, lane) for usage in kinds]
    return max((cost.standard / cost.charged for cost in costs if cost.charged and cost.standard), default=None)

"""What a step can cost that is not asked yet: answers of steps before it will stand in its prompt."""

from collections.abc import Iterable, Mapping
from typing import Final

from batchd.claude.catalogue import Catalogue
from batchd.decisions.money.worst_case import Prompt, worst_case
from batchd.model import Entry

BYTES_OF_A_TOKEN: Final = 6
"""Of an answer, more than usual text has in any script: it will be bounded by its bytes."""
UNBOUNDED: Final = 1 << 40
"""Of answers whose number nobody knows: a prompt is never longer than the window of its model."""


def longest(entry: Entry) -> int:
    """Bound the answer to a request, in bytes."""
    return entry.max_tokens * (1 + entry.rounds) * BYTES_OF_A_TOKEN


def worst_with(entry: Entry, more: int, catalogue: Catalogue) -> int | None:
    """Bound what a request can cost whose prompt will be longer by so many bytes, in picodollars."""
    prompt = Prompt.bounded(entry.params, catalogue.find(entry.model), entry.betas, entry.wishes.expect)
    prompt = prompt._replace(tokens=prompt.tokens + more, cached=prompt.cached or entry.wishes.cache == "auto")
    allowance = entry.rounds * entry.max_tokens
    return worst_case(prompt, entry.model, entry.max_tokens, entry.rounds, allowance, lane=entry.wishes.lane)


def shown_by(answers: Iterable[tuple[str | int, ...]], lengths: Mapping[str, int], own: int) -> int:
    """Bound what earlier answers add to a prompt, in bytes.

    Args:
        answers: As its template names them.
        lengths: Of the answers of each step, all together.
        own: Of the answer before it in the same step.
    """
    return sum(own if path[0] == "previous" else lengths.get(str(path[1]), UNBOUNDED) for path in answers)

"""What a job of several steps does next: decided from its steps, how they stand, and what they have answered."""

from dataclasses import dataclass
from typing import Final

from batchd.claude.price import dollars
from batchd.model import NOT_BEGUN, Answered, Standing, Step, Steps
from batchd.text.strictjson import Json

MOST_AT_ONCE: Final = 500
"""Requests that one commit takes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """More of a step is to be asked."""

    number: int
    """Of the step."""
    begun: int
    """How many of its requests there are."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A step has nothing more to ask."""

    number: int
    note: str = ""
    """Why it asks nothing at all; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A step needs answers that are not complete: a person says whether it goes without them."""

    number: int
    reason: str


def next_of(steps: Steps, at: int, standing: Standing, passed: int) -> Ask | Pass | Lacking:
    """Say what is due, where every request that was begun has its verdict.

    Args:
        at: The number of the step that is due, or under way.
        standing: How the steps stand that were begun.
        passed: Of steps before this number, what is not complete is gone without.
    """
    step = steps.steps[at]
    begun = standing.get(at, NOT_BEGUN)
    if step.previous and not begun.whole and at >= passed:
        return Lacking(at, _said(step, step, begun))
    missing: str | None = None
    for name in step.needs:
        number = steps.number(name)
        of = standing.get(number, NOT_BEGUN)
        if of.whole:
            continue
        if number >= passed:
            return Lacking(at, _said(step, steps.steps[number], of))
        if not step.join and not _is_list(steps.steps[number]):
            missing = name
    if step.join:
        return Pass(at)
    if missing is not None:
        return Pass(at, f"{step.name} was not asked, since {missing} is not complete")
    if not step.each and begun.requests:
        return Pass(at)
    return Ask(at, begun.requests)


def _is_list(step: Step) -> bool:
    return bool(step.each or step.join)


def _said(step: Step, lacking: Step, counted: Answered) -> str:
    wanted = "goes on" if step is lacking else "is joined" if step.join else "is asked"
    if counted.requests == 1 and not lacking.each:
        return f"{lacking.name} is not complete, and {step.name} {wanted} only after it"
    missing = counted.requests - counted.complete
    are = "is" if missing == 1 else "are"
    few = f"{missing:,} of {counted.requests:,} requests of {lacking.name}"
    return f"{few} {are} not complete, and {step.name} {wanted} only after that"


def entries_of(step: Step, answer: Json) -> list[Json] | None:
    """Find the list of which each entry is asked; None where the answer has none there."""
    found: Json = answer
    for key in step.each[1:]:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, list) else None


def empty(step: Step) -> str:
    """Say why nothing is asked."""
    return f"{step.name} asked nothing: {'.'.join(step.each)} is an empty list"


def too_dear(step: Step, entries: int, worst: int, budget: int, spent: int) -> str:
    """Say why a list is not asked of: its requests have no room in what the job may cost."""
    return (
        f"{'.'.join(step.each)} has {entries:,} entries, which may cost {dollars(worst)} together; "
        f"the budget of the job is {dollars(budget)}, and {dollars(spent)} of it are spent or reserved"
    )

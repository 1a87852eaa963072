"""A job of several steps, of which each asks, or joins, what those before it have answered."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step, as far as it decides what comes next."""

    name: str
    each: tuple[str, ...] = ()
    """A step, and the way to a list in its answer, of which each entry is asked; empty where it is asked once."""
    join: tuple[str, ...] = ()
    """Steps whose answers it joins; empty where it asks."""
    write: str = ""
    """The file of a join, in `documents`."""
    sees: tuple[str, ...] = ()
    """Steps whose answers its prompt shows."""
    previous: bool = False
    """Whether its prompt shows the answer before it, so that one is asked after the other."""
    worst: int | None = 0
    """Picodollars that all its requests can cost; of a list, each of them. None where the price is not known."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Steps without whose answers it cannot be taken."""
        return tuple(dict.fromkeys((*self.each[:1], *self.join, *self.sees)))


class Steps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The steps of a job, in their order, and where in its spool file lies what they ask."""

    steps: tuple[Step, ...]
    offset: int = 0
    """Of their script, in bytes, as is `size`."""
    size: int = 0

    def number(self, name: str) -> int:
        """The place of a step, from 0."""
        return next(number for number, step in enumerate(self.steps) if step.name == name)

    def counted_after(self, number: int) -> int:
        """What the steps after one can cost whose requests are counted, in picodollars."""
        return sum(step.worst or 0 for step in self.steps[number + 1 :] if not step.each)

    def is_open_after(self, number: int) -> bool:
        """Whether a list decides how much a step after one asks."""
        return any(step.each for step in self.steps[number + 1 :])


class Answered(msgspec.Struct, frozen=True):
    """How the requests of one step stand that were begun."""

    requests: int = 0
    complete: int = 0
    open: int = 0
    """Without a verdict."""

    @property
    def whole(self) -> bool:
        """Whether each of them is answered as it should be."""
        return self.complete == self.requests


NOT_BEGUN = Answered()

Standing = Mapping[int, Answered]
"""Of steps by their numbers; those that were not begun are left out."""

NOTHING_BEGUN: Standing = MappingProxyType({})

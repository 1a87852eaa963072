"""A deliberate fault."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A deliberate fault, and the test that should find it."""

    invariant: str
    fault: str
    file: str
    before: str
    after: str
    test: str

"""A document in one of its rounds, with all that a decision about it needs besides the result."""

from dataclasses import dataclass

from batchd.claude.catalogue import ModelFacts
from batchd.decisions.document.draft import NOTHING as NO_DRAFT
from batchd.decisions.document.draft import Draft
from batchd.decisions.document.expectation import NOTHING as NOTHING_EXPECTED
from batchd.decisions.document.expectation import Expectation
from batchd.delivery import Trip


@dataclass(frozen=True, slots=True)
class Round:
    """What is gathered before the decision."""

    trip: Trip
    facts: ModelFacts
    """Of its model."""
    draft: Draft = NO_DRAFT
    expected: Expectation = NOTHING_EXPECTED
    first: bytes = b"{}"
    """The params of the first round; needed only where rounds are left, or the answer may be structured."""

"""Documents: gathers what a result's document was before it, has the next step decided, and keeps what that brings.

It runs in the collector's worker thread. What it writes is private and may be written again: the draft of a round has
the number of the round in its name, and the params of the next one are appended to the spool; both count only from
the commit on that names them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from batchd.claude.catalogue import Catalogue
from batchd.claude.verdict import AGAIN, LOST_TRIP, Result
from batchd.decisions.document import expectation
from batchd.decisions.document.contents import NONE, Contents, contents_of
from batchd.decisions.document.data import may_be_structured
from batchd.decisions.document.next_step import Continue, Final, next_step
from batchd.decisions.document.round import Round
from batchd.decisions.money.charge import UNKNOWN, cost_of, saved_of
from batchd.delivery import Delivery, NextRound, Trip, Unsent
from batchd.edges.drafts import Drafts
from batchd.edges.spool import append_to_spool, read_from_spool
from batchd.model import Usage


@dataclass(frozen=True, slots=True)
class Assembled:
    """What becomes of a result, and the files that are to appear in the job's folder before it is acknowledged."""

    delivery: Delivery
    files: tuple[tuple[str, str], ...] = ()
    """Names relative to the job's folder, and texts."""


class Documents:
    """Makes one document of the rounds that write it."""

    def __init__(self, drafts: Drafts, spool: Path, catalogue: Catalogue) -> None:
        self._drafts = drafts
        self._spool = spool
        self._catalogue = catalogue

    def assemble(self, trip: Trip, result: Result | None) -> Assembled:
        """Decide what becomes of a request whose result is here, or None because the API has none."""
        step = next_step(self._gathered(trip, result), result)
        following = self._kept(trip, step) if isinstance(step, Continue) else None
        contents = step.contents if isinstance(step, Final) else NONE
        delivery = Delivery(
            row=trip.row,
            request=trip.request,
            outcome=result.outcome if result else LOST_TRIP,
            verdict=step.verdict if isinstance(step, Final) else None,
            reason=step.reason,
            stop_reason=result.stop_reason if result else None,
            usage=result.usage if result else Usage(),
            cost=cost_of(result, trip.model, trip.wishes.lane) if result else UNKNOWN,
            saved=saved_of(result, trip.model, trip.wishes.lane) if result else None,
            document=contents.document,
            sections=contents.sections,
            round=trip.round,
            following=following,
            filed=contents.filed,
            bounded=result.bounded if result else False,
        )
        return Assembled(delivery, contents.files)

    def left_by(self, unsent: Unsent) -> Contents:
        """Lay out what a document had come to before a round that was never sent; nothing where its draft is gone."""
        try:
            draft = self._drafts.read(unsent.request, unsent.round)
        except FileNotFoundError:
            return NONE
        return contents_of(unsent, draft.paid, expectation.stored(unsent.wishes.expect), cut=True)

    def forget(self, deliveries: Iterable[Delivery]) -> None:
        """Remove the drafts of documents that are finished, once their deliveries are acknowledged."""
        for delivery in deliveries:
            if delivery.round and delivery.verdict is not None and delivery.verdict not in AGAIN:
                self._drafts.discard(delivery.request, delivery.round)

    def _gathered(self, trip: Trip, result: Result | None) -> Round:
        goes_on = bool(trip.rounds or trip.round) and not trip.cancelled
        wanted = result is not None and (goes_on or may_be_structured(result.text))
        return Round(
            trip,
            self._catalogue.find(trip.model),
            self._drafts.read(trip.request, trip.round),
            expectation.stored(trip.wishes.expect),
            read_from_spool(self._spool / trip.first.claim, trip.first.offset, trip.first.size) if wanted else b"{}",
        )

    def _kept(self, trip: Trip, step: Continue) -> NextRound:
        self._drafts.write(trip.request, trip.round + 1, step.draft)
        return NextRound(
            offset=append_to_spool(self._spool / trip.first.claim, step.params),
            size=len(step.params),
            max_tokens=step.max_tokens,
            betas=step.betas,
            rounds=step.rounds,
            allowance=step.allowance,
            worst=step.worst,
        )

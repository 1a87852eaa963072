"""How far one job is, request by request: documents between two rounds, and why others are not complete."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from batchd.edges.store.requests import wishes_of
from batchd.edges.store.sqlite.database import Database
from batchd.model import JobId, RequestId, Verdict, Wishes

MOST: Final = 10
"""Documents that are listed, and reasons."""
_DIGITS: Final = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A document between two rounds."""

    request: RequestId
    custom_id: str
    round: int
    """How many parts of it are written."""
    rounds: int
    """How many more there may be."""
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Reason:
    """Why requests are not complete: one reason, whatever numbers stand in it."""

    verdict: Verdict
    reason: str
    """As it was said of the first of them."""
    count: int
    example: str
    """The custom_id of that one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    unfinished: tuple[Unfinished, ...]
    """The first that are between two rounds."""
    reasons: tuple[Reason, ...]
    """The most frequent first."""


class ProgressOf:
    """The requests of a job as people ask after them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, job: JobId) -> Progress:
        """Read how far a job is."""
        rows = await self._database.rows(
            """SELECT id, custom_id, round, rounds, wishes FROM requests
               WHERE job = ? AND verdict IS NULL AND round > 0 ORDER BY round DESC, id LIMIT ?""",
            job,
            MOST,
        )
        unfinished = tuple(
            Unfinished(RequestId(row["id"]), row["custom_id"], row["round"], row["rounds"], wishes_of(row))
            for row in rows
        )
        failed = await self._database.rows(
            """SELECT verdict, reason, count(*) AS n, min(id), custom_id FROM requests
               WHERE job = ? AND verdict <> 'complete' GROUP BY verdict, reason ORDER BY n DESC, min(id)""",
            job,
        )
        count: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], Reason] = {}
        for row in failed:
            said = row["reason"] or str(row["verdict"])
            alike = (row["verdict"], _DIGITS.sub("N", said))
            count[alike] += row["n"]
            first.setdefault(alike, Reason(Verdict(row["verdict"]), said, 0, row["custom_id"]))
        reasons = tuple(
            Reason(first[alike].verdict, first[alike].reason, n, first[alike].example)
            for alike, n in count.most_common(MOST)
        )
        return Progress(unfinished, reasons)

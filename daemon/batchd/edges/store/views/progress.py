"""How far one job is, request by request: documents between two rounds, and why others are not complete."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from batchd.decisions.notices.finished import MOST_REASONS
from batchd.decisions.notices.finished import Reason as Coded
from batchd.edges.store.database import Database
from batchd.edges.store.requests import FIRST, wishes_of
from batchd.edges.store.steps import JobSteps
from batchd.model import JobId, RequestId, Standing, Verdict, Wishes

MOST: Final = 10
"""Documents that are listed, and reasons."""
_NUMBER: Final = f"id - ({FIRST}) + 1"
_OWN: Final = re.compile(r"[^:;\"'`“«]*")
"""How a reason begins, before it quotes anything."""
_DIGITS: Final = re.compile(r"\d[\d,.]*")


def own_words(reason: str) -> str:
    """What a reason says in our own words, before it quotes anything that was asked or answered."""
    said = _OWN.match(reason)
    return said[0].strip() if said else ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A document between two rounds."""

    request: RequestId
    number: int
    """Its place in the file, from 1: what a user calls it may tell of what was asked."""
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
    """In our own words alone: what the API or a document says stands in `report.jsonl`, which is private."""
    count: int
    first: int
    """The place in the file of the first of them, from 1."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    unfinished: tuple[Unfinished, ...]
    """The first that are between two rounds."""
    reasons: tuple[Reason, ...]
    """The most frequent first."""
    steps: Standing
    """How those of its steps stand that were begun."""


MOST_ALIKE: Final = 1_000
"""Beginnings of reasons that are told apart, of each verdict."""
_LAST: Final = "\U0010ffff"
"""A character behind all others."""
_NOT_COMPLETE: Final = [verdict for verdict in Verdict if verdict is not Verdict.COMPLETE]
_UNTIL: Final = "CASE WHEN instr({0}, ':') > 0 THEN substr({0}, 1, instr({0}, ':')) || ?4 ELSE {0} END"
"""The last of the reasons that begin like one: what stands before a colon."""
_ALIKE: Final = f"job = ?1 AND verdict = one.verdict AND reason BETWEEN one.reason AND {_UNTIL.format('one.reason')}"
# From one beginning to the next along the index: as quick where each of 500,000 reasons quotes something else.
_FAILED: Final = f"""
    WITH RECURSIVE one (verdict, reason, place) AS (
        SELECT value, (SELECT min(reason) FROM requests WHERE job = ?1 AND verdict = value), 0 FROM json_each(?2)
        UNION ALL
        SELECT verdict, (SELECT min(reason) FROM requests WHERE job = ?1 AND verdict = one.verdict
                         AND reason > {_UNTIL.format("one.reason")}), place + 1
        FROM one WHERE reason IS NOT NULL AND place < ?3)
    SELECT verdict, reason, (SELECT count(*) FROM requests WHERE {_ALIKE}) AS n,
        (SELECT min({_NUMBER}) FROM requests WHERE {_ALIKE}) AS number FROM one WHERE reason IS NOT NULL
    UNION ALL
    SELECT verdict, NULL, count(*), min({_NUMBER}) FROM requests
        WHERE job = ?1 AND verdict IN (SELECT value FROM json_each(?2)) AND reason IS NULL GROUP BY verdict
    ORDER BY number"""  # noqa: S608  own text


_CODE: Final = re.compile(r"[a-z_]*_error[a-z_]*(?=:|$)")
_STOP: Final = re.compile(r"[a-z_]{0,40}")


def _code(reason: str | None, stop_reason: str | None) -> str:
    """Why a request is not complete, as a code of the API; empty where that is nothing of it."""
    if stop_reason is not None:
        return stop_reason if _STOP.fullmatch(stop_reason) else ""
    found = _CODE.match(reason or "")
    return found[0] if found else ""


class ProgressOf:
    """The requests of a job as people ask after them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps = JobSteps(database)

    async def read(self, job: JobId) -> Progress:
        """Read how far a job is."""
        rows = await self._database.rows(
            f"""SELECT id, {_NUMBER} AS number, round, rounds, wishes FROM requests
               WHERE job = ?1 AND verdict IS NULL AND round > 0 ORDER BY round DESC, id LIMIT ?2""",  # noqa: S608  own text
            job,
            MOST,
        )
        unfinished = tuple(
            Unfinished(RequestId(row["id"]), row["number"], row["round"], row["rounds"], wishes_of(row)) for row in rows
        )
        failed = await self._database.rows(_FAILED, job, json.dumps(_NOT_COMPLETE), MOST_ALIKE, _LAST)
        count: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], Reason] = {}
        for row in failed:
            own = own_words(row["reason"] or "")
            alike = (row["verdict"], _DIGITS.sub("N", own))
            count[alike] += row["n"]
            first.setdefault(alike, Reason(Verdict(row["verdict"]), own, 0, row["number"]))
        reasons = tuple(
            Reason(first[alike].verdict, first[alike].reason, n, first[alike].first)
            for alike, n in count.most_common(MOST)
        )
        return Progress(unfinished, reasons, await self._steps.standing(job))

    async def codes(self, job: JobId) -> list[Coded]:
        """Tell why requests of a job are not complete, in codes alone: the most frequent first."""
        rows = await self._database.rows(
            """SELECT verdict, stop_reason,
                   CASE WHEN stop_reason IS NULL THEN substr(reason, 1, instr(reason || ':', ':') - 1) END AS reason,
                   count(*) AS n
               FROM requests WHERE job = ? AND verdict <> 'complete' GROUP BY 1, 2, 3""",
            job,
        )
        counted: Counter[tuple[str, str]] = Counter()
        for row in rows:
            counted[row["verdict"], _code(row["reason"], row["stop_reason"])] += row["n"]
        most = sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:MOST_REASONS]
        return [Coded(Verdict(verdict), code, n) for (verdict, code), n in most]

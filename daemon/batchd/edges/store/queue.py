"""The queue: requests that wait for a trip. There is no other."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from batchd.edges.store.database import Database
from batchd.edges.store.requests import BEHIND
from batchd.edges.store.statements import Row, betas_of
from batchd.model import BatchId, JobId, Lane, RequestId, Waiting

LONGEST_REST = 300.0
"""Seconds of `decisions.batch.backoff.pause_before`, at the most: what is due later was noted by another clock."""


_NONE: Mapping[RequestId, RequestId] = MappingProxyType({})
_ANY = f"""SELECT EXISTS (SELECT 1 FROM requests WHERE batch IS NULL AND verdict IS NULL) AS any,
    EXISTS (SELECT 1 FROM requests WHERE {BEHIND}) AS behind,
    EXISTS (SELECT 1 FROM jobs WHERE missing > 0) AS arriving"""  # noqa: S608  own text


_ALL = "requests JOIN jobs ON jobs.id = job"
_OF_SOME = """json_each(?10) AS those CROSS JOIN requests
    JOIN jobs ON jobs.id = requests.job AND requests.job = CAST(those.value AS BIGINT)"""
"""By job: what else waits may be much more."""


class Waits(NamedTuple):
    """Whether there are requests that wait."""

    any: bool
    behind: bool
    """Whether any of them shares its beginning with others."""
    arriving: bool
    """Whether others are still to be stored."""


class Queue:
    """The requests that wait."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(  # noqa: PLR0913  each leaves some out
        self,
        most: int,
        lane: Lane | None = None,
        *,
        without: Collection[JobId] = (),
        only: JobId | None = None,
        among: Collection[JobId] | None = None,
        now: float | None = None,
        paused: Collection[str] = (),
        leaders: Mapping[RequestId, RequestId] = _NONE,
    ) -> list[Waiting]:
        """List the requests that wait for a trip, oldest first.

        Those of a held job that were not begun wait for more than that; what was sent already in a lost life waits to
        be adopted.

        Args:
            most: How many at the most.
            lane: Only those of this lane; None for all.
            without: Jobs that are passed over.
            only: The one job that is asked after; None for all.
            among: Only those of these jobs; None for all.
            now: Only those that are due by then, in unix seconds; None for all.
            paused: Models whose requests are left out.
            leaders: Families of which nobody else may go, unless it was begun, by what they are known by.
        """
        return await self._database.values(
            _waiting,
            f"""SELECT requests.id, coalesce(sent_size, size) AS size, max_tokens, betas, version, cohort, since,
                   job, worst, requests.budget, lane, promised
               FROM {_ALL if among is None else _OF_SOME}
               WHERE batch IS NULL AND verdict IS NULL AND NOT delivered
                 AND (held_from IS NULL OR requests.id < held_from OR promised)
                 AND (CAST(?1 AS TEXT) IS NULL OR lane = ?1)
                 AND (CAST(?5 AS DOUBLE PRECISION) IS NULL OR since <= ?5 OR since > ?5 + ?7)
                 AND job NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(?3))
                 AND (CAST(?4 AS BIGINT) IS NULL OR job = ?4)
                 AND (CAST(?6 AS TEXT) IS NULL OR model NOT IN (SELECT value FROM json_each(?6)))
                 AND (first IS NULL OR round > 0 OR first NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(?8))
                      OR requests.id IN (SELECT CAST(value AS BIGINT) FROM json_each(?9)))
                 AND NOT EXISTS (
                     SELECT 1 FROM recovered WHERE recovered.request = requests.id AND recovered.sending > (
                         SELECT coalesce(max(sending), 0) FROM trips WHERE trips.request = requests.id))
               ORDER BY requests.id LIMIT ?2""",  # noqa: S608  own text
            lane,
            most,
            json.dumps(sorted(without)),
            only,
            now,
            json.dumps(list(paused)) if paused else None,
            LONGEST_REST,
            json.dumps([*leaders]),
            json.dumps([*leaders.values()]),
            *([] if among is None else [json.dumps(sorted(among))]),
        )

    async def any_waits(self) -> Waits:
        """Whether any request has neither a batch nor a verdict, whatever it waits for."""
        (row,) = await self._database.rows(_ANY)
        return Waits(bool(row["any"]), bool(row["behind"]), bool(row["arriving"]))

    async def next_due(self, now: float) -> float | None:
        """Say when the next request is due that rests before it is sent again, in unix seconds; None if none does."""
        row = await self._database.row(
            """SELECT min(since) AS due FROM requests
               WHERE batch IS NULL AND verdict IS NULL AND since > ?1 AND since <= ?1 + ?2""",
            now,
            LONGEST_REST,
        )
        return None if row is None else row["due"]

    async def queued(self) -> Counter[str]:
        """Count the requests in unfinished batches, planned ones included, by account."""
        rows = await self._database.rows(
            """SELECT account, sum(count) AS n FROM batches
               WHERE lane = 'batch' AND state NOT IN ('settled', 'dissolved') GROUP BY account"""
        )
        return Counter({row["account"]: int(row["n"]) for row in rows})

    async def unresolved_counts(self) -> dict[str, list[int]]:
        """List the counts of the batches whose create is still to be sent or answered, by account."""
        rows = await self._database.rows(
            "SELECT account, count FROM batches WHERE state IN ('planned', 'intended') AND lane = 'batch'"
        )
        found: defaultdict[str, list[int]] = defaultdict(list)
        for row in rows:
            found[row["account"]].append(row["count"])
        return found

    async def about_to_be_streamed(self) -> list[BatchId]:
        """List the messages that are planned and that nothing keeps."""
        rows = await self._database.rows(
            "SELECT id FROM batches WHERE lane = 'sync' AND state = 'planned' AND trouble IS NULL"
        )
        return [BatchId(row["id"]) for row in rows]


def _waiting(row: Row) -> Waiting:
    return Waiting(
        id=RequestId(row["id"]),
        size=row["size"],
        max_tokens=row["max_tokens"],
        betas=betas_of(row),
        version=row["version"],
        cohort=row["cohort"],
        since=row["since"],
        job=JobId(row["job"]),
        worst=row["worst"],
        budget=row["budget"],
        promised=bool(row["promised"]),
        lane=Lane(row["lane"]),
    )

"""Warmings: requests that share a beginning, which one of them leaves in the prompt cache before the others go."""

from collections.abc import Sequence

from batchd.decisions.money.cache_warming import Family, Leader
from batchd.edges.store.database import Database
from batchd.edges.store.requests import BEHIND, PRIMER
from batchd.edges.store.statements import Transaction, many, update
from batchd.model import Place, RequestId

_FAMILIES = f"""families (first) AS (
    SELECT min(first) FROM requests WHERE {BEHIND}
    UNION ALL
    SELECT (SELECT min(first) FROM requests WHERE {BEHIND} AND first > families.first)
    FROM families WHERE families.first IS NOT NULL)"""  # noqa: S608  own text
"""Those of which some wait: from one to the next by the index, however many wait in each."""


class Warmings:
    """Who goes first in each family of requests, and for how long its cache is warm."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def cold(self, now: float) -> list[Family]:
        """List the families of which some wait although the one that goes first has come back, and none is warm.

        Args:
            now: Unix seconds.
        """
        return await self._database.values(
            lambda row: Family(
                first=RequestId(row["first"]),
                tried=row["tried"],
                warmed_at=row["warmed_at"],
                job=row["job"],
            ),
            f"""WITH RECURSIVE {_FAMILIES}
                SELECT warmings.first, tried, jobs.name AS job, (
                    SELECT max(coalesce(ended_at, submitted_at)) FROM requests AS member
                    JOIN trips ON trips.request = member.id AND outcome = 'succeeded'
                    JOIN batches ON batches.id = trips.batch
                    WHERE member.first = warmings.first) AS warmed_at
                FROM families JOIN warmings ON warmings.first = families.first
                JOIN requests AS gone ON gone.id = primer JOIN jobs ON jobs.id = gone.job
                WHERE (gone.verdict IS NOT NULL OR gone.round > 0) AND (warm_until IS NULL OR warm_until <= ?)""",  # noqa: S608  own text
            now,
        )

    async def leaders(self) -> list[Leader]:
        """List who goes first in each family of which some wait."""
        return await self._database.values(
            lambda row: Leader(RequestId(row["first"]), RequestId(row["primer"]), row["warm_until"]),
            f"""WITH RECURSIVE {_FAMILIES}
                SELECT warmings.first, primer, warm_until FROM families JOIN warmings USING (first)""",  # noqa: S608  own text
        )

    async def warm(self, family: RequestId, until: float) -> None:
        """Let the others go for as long as the cache is warm.

        Args:
            family: Which.
            until: Unix seconds.
        """

        async def step(db: Transaction) -> None:
            await update(db, "UPDATE warmings SET warm_until = ?, tried = 1 WHERE first = ?", until, family)

        await self._database.write(step)

    async def another_first(self, family: RequestId) -> None:
        """Let the next one that waits go first."""

        async def step(db: Transaction) -> None:
            await update(
                db,
                f"""UPDATE warmings SET tried = tried + 1, warm_until = NULL,
                        primer = (SELECT min(id) FROM requests WHERE {BEHIND} AND first = ?1)
                    WHERE first = ?1 AND EXISTS (SELECT 1 FROM requests WHERE {BEHIND} AND first = ?1)""",  # noqa: S608  own text
                family,
            )
            await update(
                db,
                """UPDATE requests SET cohort = ? WHERE cohort = '' AND id = (
                       SELECT primer FROM warmings WHERE first = ?)""",
                PRIMER,
                family,
            )

        await self._database.write(step)

    async def marked(self, family: RequestId, most: int) -> list[tuple[RequestId, Place]]:
        """List requests that wait with a breakpoint of ours, and where their params lie.

        Args:
            family: Theirs.
            most: How many at the most.
        """
        return await self._database.values(
            lambda row: (RequestId(row["id"]), Place(row["claim"], row["offset"], row["size"])),
            f"""SELECT requests.id, claim, "offset", requests.size FROM requests JOIN jobs ON jobs.id = job
                WHERE {BEHIND} AND first = ? ORDER BY requests.id LIMIT ?""",  # noqa: S608  own text
            family,
            most,
        )

    async def unmark(self, places: Sequence[tuple[RequestId, int, int]]) -> None:
        """Have requests sent from params that have no breakpoint, each for itself.

        Args:
            places: Ids, and offset and size of those params in the job's spool file.
        """

        async def step(db: Transaction) -> None:
            await many(
                db,
                f"""UPDATE requests SET first = NULL, "offset" = ?, size = ?,
                        cohort = CASE WHEN cohort = '{PRIMER}' THEN '' ELSE cohort END WHERE id = ? AND {BEHIND}""",  # noqa: S608  own text
                ((offset, size, request) for request, offset, size in places),
            )

        await self._database.write(step)

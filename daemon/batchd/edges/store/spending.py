"""What was spent or is reserved, by day, model, folder and job; and how long answers were."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from batchd.edges.store.database import Database
from batchd.edges.store.rollup import SUMS
from batchd.edges.store.sums import amount

_DAY = 86_400.0
_EPOCH = date(1970, 1, 1).toordinal()


_SEEN = "(CAST(?2 AS TEXT) IS NULL OR queue IN (SELECT value FROM json_each(?2)))"
_ROLLED_UP = f"""SELECT {{}} AS label, sandbox, {{}} FROM spent WHERE day >= ?1 AND {_SEEN} GROUP BY label, sandbox
    HAVING sum(trips) > 0 ORDER BY label, sandbox"""  # noqa: S608  own text
GROUPS: Mapping[str, str] = {
    "day": _ROLLED_UP.format("day", SUMS),
    "model": _ROLLED_UP.format("model", SUMS),
    "folder": _ROLLED_UP.format("queue", SUMS),
    "job": f"""SELECT name AS label, sandbox, {SUMS} FROM job_batches JOIN jobs ON jobs.id = job
               JOIN batches ON batches.id = batch WHERE trips > 0 AND planned_at >= ?1 * 86400 AND {_SEEN}
               GROUP BY jobs.id ORDER BY label""",  # noqa: S608  our own names
}
"""By what spending can be told; days are UTC, and a batch belongs to the day it was made."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one day, job or model has cost."""

    group: str
    requests: int
    """Answers that were charged."""
    input_tokens: int
    """Cached ones included."""
    output_tokens: int
    cost: int
    """Picodollars, of those whose price is known."""
    standard_cost: int
    """The same tokens at the synchronous price."""
    reserved: int
    """The worst case of what is under way, and of what may have been charged at a cost that nobody knows."""
    unpriced: int
    """Answers whose price is not known."""
    bounded: int = 0
    """Answers that were cut before their tokens of output were told: those, and their cost, are a bound."""
    sandbox: bool = False
    """Whether it is of rehearsals, which cost nothing."""


class Spending:
    """The money side of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by(self, group: str, *, since: float = 0.0, folders: Collection[str] | None = None) -> list[Spent]:
        """Tell what was spent, in groups, rehearsals apart.

        Args:
            group: One of `GROUPS`.
            since: When a day began, in unix seconds; batches made before do not count.
            folders: Top folders of the inbox whose jobs count; None for all.
        """
        seen = None if folders is None else json.dumps(list(folders))
        rows = await self._database.rows(GROUPS[group], int(since // _DAY), seen)
        return [
            Spent(
                group=_date(row["label"]) if group == "day" else row["label"],
                requests=row["answers"],
                input_tokens=row["input_tokens"] + row["cache_read"] + row["cache_write_5m"] + row["cache_write_1h"],
                output_tokens=row["output_tokens"],
                cost=amount(row, "cost"),
                standard_cost=amount(row, "standard_cost"),
                reserved=amount(row, "reserved"),
                unpriced=row["unpriced"],
                bounded=row["bounded"],
                sandbox=bool(row["sandbox"]),
            )
            for row in rows
        ]

    async def lengths(self, model: str, least: int, most: int, *, newest: int) -> list[int]:
        """List how many tokens the answers to finished requests had, all rounds of each together.

        Args:
            model: Of which model.
            least: Of the `max_tokens` that they were sent with at first.
            most: The same.
            newest: How many at the most, the newest ones.
        """
        # A round that continues overwrites max_tokens; what it was at first follows from the allowance that is left,
        # the answers that were taken off it (neither the first nor the last), and the number of rounds there were.
        return await self._database.values(
            lambda row: int(row["output"]),
            """SELECT (SELECT total(output_tokens) FROM trips WHERE request = r.id) AS output FROM requests AS r
               WHERE model = ? AND verdict IS NOT NULL
                 AND EXISTS (SELECT 1 FROM trips WHERE request = r.id AND outcome = 'succeeded')
                 AND CASE WHEN round = 0 THEN max_tokens ELSE (
                     allowance + (SELECT total(output_tokens) FROM (
                         SELECT output_tokens, row_number() OVER (ORDER BY batch) AS part FROM trips
                         WHERE request = r.id AND outcome = 'succeeded') AS parts WHERE part BETWEEN 2 AND r.round)
                 ) / (rounds + round) END BETWEEN ? AND ?
               ORDER BY id DESC LIMIT ?""",
            model,
            least,
            most,
            newest,
        )


def _date(day: int) -> str:
    """The date of a day that is counted from 1970 on."""
    return str(date.fromordinal(_EPOCH + day))

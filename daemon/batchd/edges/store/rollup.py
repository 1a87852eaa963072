"""The roll-up of what was spent: kept in the commit that changes trips, and there when the trips are gone.

A row is what one day (UTC, on which a batch was planned), queue, model and lane have come to; rehearsals apart. Every
change of trips is made through here, so that the sums are those of the trips at every instant.
"""

import json
from collections.abc import Collection
from typing import Final

import aiosqlite

from batchd.edges.store.sqlite.statements import Step, T, update
from batchd.model import BatchId, RequestId

COUNTS: Final = ("trips", "answers", "unpriced", "unpriced_standard", "bounded")
TOKENS: Final = ("input_tokens", "output_tokens", "cache_read", "cache_write_5m", "cache_write_1h")
MONEY: Final = ("cost", "standard_cost", "saved", "reserved")
"""Each in two columns: `cost_micro` and `cost_pico`, as in `sums`."""
COLUMNS: Final = (*COUNTS, *TOKENS, *(f"{each}_{part}" for each in MONEY for part in ("micro", "pico")))
SUMS: Final = ", ".join(f"coalesce(sum({each}), 0) AS {each}" for each in COLUMNS)
"""The sums of rows that have the columns."""

SUMS_OF_JOBS: Final = f"""
    SELECT job, {SUMS} FROM (
        SELECT job, {", ".join(COLUMNS)} FROM charges WHERE job IN (SELECT value FROM json_each(?1))
        UNION ALL
        SELECT job, {", ".join(COLUMNS)} FROM spent_of_jobs WHERE job IN (SELECT value FROM json_each(?1))
    ) GROUP BY job"""  # noqa: S608  our own names
"""The sums of some jobs, of pruned trips too."""
COUNTS_OF_JOBS: Final = """
    SELECT job, verdict, travelling, sum(n) AS n FROM (
        SELECT job, verdict, batch IS NOT NULL AS travelling, count(*) AS n FROM requests
        WHERE job IN (SELECT value FROM json_each(?1)) GROUP BY job, verdict, travelling
        UNION ALL SELECT id, NULL, 0, missing FROM jobs WHERE id IN (SELECT value FROM json_each(?1))
        UNION ALL SELECT job, verdict, 0, n FROM kept_verdicts WHERE job IN (SELECT value FROM json_each(?1))
    ) GROUP BY job, verdict, travelling"""
"""How the requests of some jobs stand, pruned ones too."""

_KEY: Final = "day, sandbox, queue, model, lane"
_NAMES: Final = ", ".join(COLUMNS)
_ADDED: Final = ", ".join(f"{each} = {each} + excluded.{each}" for each in COLUMNS)


def _adding(sign: str, which: str) -> str:
    """Add what trips count for to the sums, or take it off."""
    sums = ", ".join(f"{sign}sum({each})" for each in COLUMNS)
    return f"""INSERT INTO spent ({_KEY}, {_NAMES}) SELECT {_KEY}, {sums} FROM charges WHERE {which} GROUP BY {_KEY}
               ON CONFLICT DO UPDATE SET {_ADDED}"""  # noqa: S608  our own names


_BATCH: Final = "batch = ?"
_ROWS: Final = "batch = ? AND row IN (SELECT value FROM json_each(?))"
_BOTH_WAYS: Final = {which: (_adding("-", which), _adding("", which)) for which in (_BATCH, _ROWS)}


async def in_step(
    db: aiosqlite.Connection, batch: BatchId, change: Step[T], *, rows: Collection[int] | None = None
) -> T:
    """Change trips of a batch, and the sums with them.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        change: Changes no others.
        rows: Their rows; None for all of the batch.
    """
    less, more = _BOTH_WAYS[_BATCH if rows is None else _ROWS]
    among = (batch,) if rows is None else (batch, json.dumps(sorted(rows)))
    await update(db, less, *among)
    done = await change(db)
    await update(db, more, *among)
    return done


async def keep(db: aiosqlite.Connection, requests: Collection[RequestId]) -> None:
    """Note by job what finished requests have come to, in the commit that removes them and their trips."""
    among = json.dumps(list(requests))
    await update(
        db,
        f"""INSERT INTO spent_of_jobs (job, day, {_NAMES})
            SELECT job, day, {", ".join(f"sum({each})" for each in COLUMNS)} FROM charges
            WHERE request IN (SELECT value FROM json_each(?)) GROUP BY job, day
            ON CONFLICT DO UPDATE SET {_ADDED}""",  # noqa: S608  our own names
        among,
    )
    await update(
        db,
        """INSERT INTO kept_verdicts (job, verdict, n) SELECT job, verdict, count(*) FROM requests
           WHERE id IN (SELECT value FROM json_each(?)) GROUP BY job, verdict
           ON CONFLICT DO UPDATE SET n = n + excluded.n""",
        among,
    )

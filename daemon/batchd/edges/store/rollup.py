"""The roll-up of what was spent: kept in the commit that changes trips, and there when the trips are gone.

A row of `spent` is what one day (UTC, on which a batch was planned), queue, model and lane have come to, rehearsals
apart; a row of `job_batches` what one job has come to in one batch. Every change of trips is made through here, so that
both are the sums of the trips at every instant.
"""

import json
from collections.abc import Collection
from typing import Final

from batchd.edges.store.statements import AMONG, Step, T, Transaction, update
from batchd.model import BatchId, RequestId

COUNTS: Final = ("trips", "answers", "unpriced", "unpriced_standard", "bounded")
TOKENS: Final = ("input_tokens", "output_tokens", "cache_read", "cache_write_5m", "cache_write_1h")
MONEY: Final = ("cost", "standard_cost", "saved", "reserved")
"""Each in two columns: `cost_micro` and `cost_pico`, as in `sums`."""
COLUMNS: Final = (*COUNTS, *TOKENS, *(f"{each}_{part}" for each in MONEY for part in ("micro", "pico")))
SUMS: Final = ", ".join(f"coalesce(sum({each}), 0) AS {each}" for each in COLUMNS)
"""The sums of rows that have the columns."""

_JOBS: Final = "(SELECT CAST(value AS BIGINT) FROM json_each(?1))"
SUMS_OF_JOBS: Final = f"""
    SELECT job, {SUMS} FROM job_batches WHERE job IN {_JOBS} GROUP BY job"""  # noqa: S608  our own names
"""The sums of some jobs."""
COUNTS_OF_JOBS: Final = """
    WITH among AS (SELECT CAST(value AS BIGINT) AS job FROM json_each(?1)), travelling AS (
        SELECT job, (SELECT count(*) FROM job_batches CROSS JOIN requests WHERE requests.job = job_batches.job
                     AND requests.batch = job_batches.batch AND job_batches.job = among.job) AS n FROM among)
    SELECT job, NULL AS verdict, TRUE AS travelling, n FROM travelling
    UNION ALL SELECT job, NULL, FALSE, n + missing - (SELECT n FROM travelling WHERE travelling.job = open.job) FROM (
        SELECT job, (SELECT count(*) FROM requests WHERE requests.job = among.job AND verdict IS NULL) AS n FROM among
    ) AS open JOIN jobs ON jobs.id = job
    UNION ALL SELECT job, verdict, FALSE, sum(n) FROM (
        SELECT job, verdict, count(*) AS n FROM requests
        WHERE job IN (SELECT job FROM among) AND verdict IS NOT NULL GROUP BY job, verdict
        UNION ALL SELECT job, verdict, n FROM kept_verdicts WHERE job IN (SELECT job FROM among)
    ) AS ended GROUP BY job, verdict"""
"""How the requests of some jobs stand, pruned ones too: from indexes alone, however many there are."""

_KEY: Final = "day, sandbox, queue, model, lane"
_NAMES: Final = ", ".join(COLUMNS)
_SUMMED: Final = ", ".join(f"sum({each})" for each in COLUMNS)
_TYPED: Final = ", ".join(f"{each} BIGINT" for each in COLUMNS)
_CHANGED: Final = f"""CREATE TEMP TABLE IF NOT EXISTS changed (
    job BIGINT, batch BIGINT, day BIGINT, sandbox BOOLEAN, queue TEXT, model TEXT, lane TEXT, {_TYPED})"""
"""What one change of trips adds and takes off: read from them once, for both tables."""


def _noting(sign: str, which: str) -> str:
    """Note what trips count for, or that they count for it no more."""
    sums = ", ".join(f"{sign}sum({each})" for each in COLUMNS)
    return f"""INSERT INTO changed SELECT job, batch, {_KEY}, {sums} FROM charges
               WHERE {which} GROUP BY job, batch, {_KEY}"""  # noqa: S608  our own names


def _adding(table: str, key: str) -> str:
    added = ", ".join(f"{each} = {table}.{each} + excluded.{each}" for each in COLUMNS)
    return f"""INSERT INTO {table} ({key}, {_NAMES}) SELECT {key}, {_SUMMED} FROM changed WHERE TRUE GROUP BY {key}
               ON CONFLICT ({key}) DO UPDATE SET {added}"""  # noqa: S608  our own names


_BATCH: Final = "batch = ?"
_ROWS: Final = "batch = ? AND row IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
_BOTH_WAYS: Final = {which: (_noting("-", which), _noting("", which)) for which in (_BATCH, _ROWS)}
_SUMS: Final = (_adding("job_batches", "batch, job"), _adding("spent", _KEY), "DELETE FROM changed")


async def in_step(db: Transaction, batch: BatchId, change: Step[T], *, rows: Collection[int] | None = None) -> T:
    """Change trips of a batch, and the sums with them.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        change: Changes no others.
        rows: Their rows; None for all of the batch.
    """
    less, more = _BOTH_WAYS[_BATCH if rows is None else _ROWS]
    among = (batch,) if rows is None else (batch, json.dumps(sorted(rows)))
    await update(db, _CHANGED)
    await update(db, less, *among)
    done = await change(db)
    await update(db, more, *among)
    for statement in _SUMS:
        await update(db, statement)
    return done


async def keep(db: Transaction, requests: Collection[RequestId]) -> None:
    """Note by job how finished requests have ended, in the commit that removes them; what they came to stays anyhow."""
    await update(
        db,
        f"""INSERT INTO kept_verdicts (job, verdict, n) SELECT job, verdict, count(*) FROM requests
           WHERE {AMONG.format("id")} GROUP BY job, verdict
           ON CONFLICT (job, verdict) DO UPDATE SET n = kept_verdicts.n + excluded.n""",  # noqa: S608  own text
        json.dumps(list(requests)),
    )

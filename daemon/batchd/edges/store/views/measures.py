"""What is measured of the store: totals and states, read at one moment, a few queries however much there is."""

from typing import Final

from batchd.decisions.measures import DURATIONS, Charge, Measures
from batchd.edges.store.database import Database
from batchd.edges.store.facts import SANDBOX
from batchd.edges.store.statements import Row

_PICO: Final = 1e-12


class MeasuresOf:
    """The store as it is measured."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, *, midnight: float, month: float) -> Measures:
        """Read all of it.

        Args:
            midnight: When the day began, in unix seconds.
            month: When the month began.
        """
        database = self._database
        sandbox = await database.row("SELECT 1 FROM facts WHERE name = 'api' AND value = ?", SANDBOX) is not None
        jobs = await database.rows(
            """SELECT CASE WHEN delivered THEN 'finished' WHEN hold IS NOT NULL AND NOT cancel_wanted OR EXISTS (
                   SELECT 1 FROM requests JOIN batches ON batches.id = requests.batch
                   WHERE requests.job = jobs.id AND requests.verdict IS NULL AND batches.state = 'held')
                   THEN 'held' ELSE 'open' END AS label, count(*) AS n FROM jobs GROUP BY 1"""
        )
        batches = await database.rows("SELECT state AS label, count(*) AS n FROM batches GROUP BY 1")
        requests = await database.rows(
            """SELECT 'waiting' AS state, queue, count(*) AS n, min(since) AS since FROM requests
               JOIN jobs ON jobs.id = job WHERE batch IS NULL AND verdict IS NULL GROUP BY queue
               UNION ALL SELECT 'travelling', queue, count(*), NULL FROM requests JOIN jobs ON jobs.id = job
               WHERE batch IS NOT NULL GROUP BY queue"""
        )
        oldest = await database.row(
            """SELECT (SELECT min(submitted_at) FROM batches WHERE state = 'processing') AS batch,
                      (SELECT min(ended_at) FROM batches WHERE state IN ('ended', 'held')) AS result"""
        )
        counters = await database.rows("SELECT name, label, queue, n FROM counters")
        paused = await database.rows("SELECT folder FROM pauses")
        notices = await database.row(
            """SELECT count(*) AS n, min(since) AS since FROM notice_deliveries
               WHERE done_at IS NULL AND failed IS NULL"""
        )
        return Measures(
            schema=database.schema,
            sandbox=sandbox,
            jobs=_counted(jobs),
            batches=_counted(batches),
            requests={(row["state"], row["queue"]): row["n"] for row in requests},
            waiting_since={row["queue"]: row["since"] for row in requests if row["since"] is not None},
            durations=await self._durations(),
            oldest_batch=oldest["batch"] if oldest else None,
            oldest_result=oldest["result"] if oldest else None,
            counters={(row["name"], row["label"], row["queue"]): row["n"] for row in counters},
            charges=await self._charges(sandbox=sandbox),
            today=await self._committed(midnight, sandbox=sandbox),
            month=await self._committed(month, sandbox=sandbox),
            notices=notices["n"] if notices else 0,
            oldest_notice=notices["since"] if notices else None,
            paused=tuple(row["folder"] or "" for row in paused),
        )

    async def _durations(self) -> dict[str, tuple[tuple[int, ...], float]]:
        took = "ended_at - submitted_at"
        steps = ", ".join(f"count(*) FILTER (WHERE {took} <= {bound})" for bound in DURATIONS)
        rows = await self._database.rows(
            f"""SELECT lane, total({took}), count(*), {steps} FROM batches
                WHERE ended_at IS NOT NULL AND submitted_at IS NOT NULL GROUP BY lane"""  # noqa: S608  own text
        )
        return {row["lane"]: ((*tuple(row)[3:], row[2]), row[1]) for row in rows}

    async def _charges(self, *, sandbox: bool) -> tuple[Charge, ...]:
        names = ("cost", "standard_cost", "reserved")
        sums = ", ".join(f"sum({name}_micro) AS {name}_micro, sum({name}_pico) AS {name}_pico" for name in names)
        rows = await self._database.rows(
            f"""SELECT queue, model, lane, {sums}, sum(unpriced) AS unpriced FROM spent WHERE sandbox = ?
                GROUP BY queue, model, lane ORDER BY queue, model, lane""",  # noqa: S608  own names
            sandbox,
        )
        return tuple(
            Charge(
                queue=row["queue"],
                model=row["model"],
                lane=row["lane"],
                cost=_usd(row, "cost"),
                standard=_usd(row, "standard_cost"),
                reserved=_usd(row, "reserved"),
                unpriced=row["unpriced"],
            )
            for row in rows
        )

    async def _committed(self, since: float, *, sandbox: bool) -> float:
        row = await self._database.row(
            """SELECT total(cost_micro + reserved_micro) * 1e6 + total(cost_pico + reserved_pico) AS pico
               FROM spent WHERE day >= ? AND sandbox = ?""",
            *(int(since // 86_400), sandbox),
        )
        return 0.0 if row is None else float(row["pico"]) * _PICO


def _counted(rows: list[Row]) -> dict[str, int]:
    return {row["label"]: row["n"] for row in rows}


def _usd(row: Row, name: str) -> float:
    """An amount in USD: exact to the picodollar as far as a double is."""
    return float((int(row[f"{name}_micro"]) * 10**6 + int(row[f"{name}_pico"])) / 10**12)

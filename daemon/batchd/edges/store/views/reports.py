"""Reports: what became of every request of a job, its trips summed up."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal

from anyio import to_thread

from batchd.decisions.jobfile.spelling import spelled
from batchd.delivery import Filed, ReportRow
from batchd.edges.store.database import Database
from batchd.edges.store.requests import wishes_of
from batchd.edges.store.statements import AMONG, Row
from batchd.edges.store.sums import SPENT, cost_of, usage_of
from batchd.model import Cost, JobId, RequestId, Usage, Verdict

PAGE = 1000
"""Rows of a report that are read at one time."""


class Reports:
    """The requests of jobs that have ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, job: JobId) -> AsyncIterator[list[ReportRow]]:
        """Read every request of a job with its trips summed up, in the file's order, a page at a time.

        Args:
            job: Its id.
        """
        bounds = await self._database.row("SELECT min(id) AS least, max(id) AS most FROM requests WHERE job = ?", job)
        if bounds is None or bounds["least"] is None:
            return
        following = bounds["least"]
        while page := await self._page(READ.format(BY_ID, "id"), job, following, bounds["most"], PAGE):
            following = page[-1][0]["id"] + 1
            yield [row for _, row in page]

    async def read_late(self, job: JobId) -> AsyncIterator[list[ReportRow]]:
        """Read the requests of a job that have a place of their own among its rows, in the order of these."""
        behind = 0
        while page := await self._page(READ.format(LATE, "place"), job, behind, PAGE):
            behind = page[-1][0]["place"]
            yield [row for _, row in page]

    async def custom_id(self, request: RequestId) -> str | None:
        """Say what a request is called in its job; None where there is none."""
        row = await self._database.row("SELECT custom_id FROM requests WHERE id = ?", request)
        return None if row is None else str(row["custom_id"])

    async def read_all(self, jobs: Sequence[JobId]) -> dict[JobId, list[ReportRow]]:
        """Read every request of some jobs, as `read` does, at once: there must be few of them."""
        found: dict[JobId, list[ReportRow]] = {job: [] for job in jobs}
        for row, told in await self._page(READ.format(AMONG.format("job"), "id"), json.dumps(list(jobs)), _ALL):
            found[JobId(row["job"])].append(told)
        return found

    async def _page(self, sql: str, *parameters: object) -> list[tuple[Row, ReportRow]]:
        """Read requests with what their trips came to, and put that together in a thread."""
        requests = await self._database.rows(sql, *parameters)
        among = json.dumps([row["id"] for row in requests])
        sums = await self._database.rows(_SUMS, among)
        trips = await self._database.rows(_TRIPS, among)
        return await to_thread.run_sync(_told, requests, sums, trips)


BY_ID = "+job = ?1 AND id BETWEEN ?2 AND ?3"
"""Between the first and the last id of a job nearly all are its own; by jobs an index has them in another order, so
that each page would sort them all."""
LATE = "job = ? AND place > ?"
READ = """SELECT id, job, custom_id, model, verdict, stop_reason, reason, document, sections, "offset", size, betas,
        wishes, filed, budget, first, counts_from, place, record, rounds + round AS continued
    FROM requests WHERE {0} AND verdict IS NOT NULL ORDER BY {1} LIMIT ?"""
"""Every request of jobs that a condition names, in the order of a column."""
_SUMS = f"""SELECT request, {SPENT},
        count(*) FILTER (WHERE outcome = 'succeeded' AND sending >= counts_from) AS rounds
    FROM trips JOIN requests ON requests.id = request WHERE {AMONG.format("request")} GROUP BY request"""  # noqa: S608  own text
_TRIPS = f"""SELECT request, remote_id, outcome, trips.stop_reason, output_tokens, bounded, cost
    FROM trips JOIN batches ON batches.id = trips.batch WHERE {AMONG.format("request")}
    ORDER BY request, batches.id"""  # noqa: S608  own text
_ALL = 1 << 62


def _told(requests: Iterable[Row], sums: Iterable[Row], trips: Iterable[Row]) -> list[tuple[Row, ReportRow]]:
    of: dict[int, list[Row]] = defaultdict(list)
    for trip in trips:
        of[trip["request"]].append(trip)
    spent = {row["request"]: row for row in sums}
    return [(row, _report_row(row, spent.get(row["id"]), of[row["id"]])) for row in requests]


def _report_row(row: Row, spent: Row | None, trips: Sequence[Row]) -> ReportRow:
    verdict = Verdict(row["verdict"])
    return ReportRow(
        custom_id=row["custom_id"],
        verdict=verdict,
        stop_reason=row["stop_reason"],
        reason=row["reason"] or "",
        usage=Usage() if spent is None else usage_of(spent),
        cost=Cost(Decimal(0), Decimal(0)) if spent is None else cost_of(spent),
        attempts=len(trips),
        rounds=0 if spent is None else spent["rounds"],
        model=row["model"],
        batches=tuple(trip["remote_id"] for trip in trips if trip["remote_id"] is not None),
        document=row["document"],
        sections=tuple((title, file) for title, file in json.loads(row["sections"])) if row["sections"] else (),
        chain=tuple(map(_link, trips)) if len(trips) > 1 else (),
        cached=row["first"] is not None,
        settings={} if verdict is Verdict.COMPLETE else _settings(row),
        offset=row["offset"],
        size=row["size"],
        filed=_filed(row),
        bounded=0 if spent is None else spent["bounded"],
        place=row["place"],
        record=row["record"],
    )


def _link(trip: Row) -> dict[str, object]:
    return {
        "batch": trip["remote_id"],
        "outcome": trip["outcome"],
        "stop_reason": trip["stop_reason"],
        "output_tokens": trip["output_tokens"],
        "bounded": int(trip["bounded"]),
        "cost_picodollars": trip["cost"],
    }


def _filed(row: Row) -> Filed | None:
    """What became of its files; of one without an answer, that there are none."""
    if not wishes_of(row).files:
        return None
    written, refused = json.loads(row["filed"] or "[[], []]")
    return Filed(tuple(written), tuple((path, reason) for path, reason in refused))


def _settings(row: Row) -> dict[str, object]:
    betas = row["betas"].split(",") if row["betas"] else []
    return spelled(row["continued"], betas, json.loads(row["wishes"]), row["budget"])

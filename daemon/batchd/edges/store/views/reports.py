"""Reports: what became of every request of a job, its trips summed up."""

import json
from collections.abc import AsyncIterator, Sequence

from batchd.claude.price import from_picodollars
from batchd.delivery import Filed, ReportRow
from batchd.edges.store.requests import wishes_of
from batchd.edges.store.sqlite.database import Database
from batchd.edges.store.sqlite.statements import Row
from batchd.edges.store.sums import SPENT, cost_of, usage_of
from batchd.model import JobId, RequestId, Verdict

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
        while rows := await self._database.values(
            _with_row, READ.format(BY_ID, "id"), job, following, bounds["most"], PAGE
        ):
            following = rows[-1][0]["id"] + 1
            yield [row for _, row in rows]

    async def read_late(self, job: JobId) -> AsyncIterator[list[ReportRow]]:
        """Read the requests of a job that have a place of their own among its rows, in the order of these."""
        behind = 0
        while rows := await self._database.values(_with_row, READ.format(LATE, "place"), job, behind, PAGE):
            behind = rows[-1][0]["place"]
            yield [row for _, row in rows]

    async def custom_id(self, request: RequestId) -> str | None:
        """Say what a request is called in its job; None where there is none."""
        row = await self._database.row("SELECT custom_id FROM requests WHERE id = ?", request)
        return None if row is None else str(row["custom_id"])

    async def read_all(self, jobs: Sequence[JobId]) -> dict[JobId, list[ReportRow]]:
        """Read every request of some jobs, as `read` does, at once: there must be few of them."""
        found: dict[JobId, list[ReportRow]] = {job: [] for job in jobs}
        among = json.dumps(list(jobs))
        rows = await self._database.values(
            lambda row: (JobId(row["job"]), _report_row(row)),
            READ.format("job IN (SELECT value FROM json_each(?))", "id"),
            among,
            -1,
        )
        for job, row in rows:
            found[job].append(row)
        return found


BY_ID = "+job = ?1 AND id BETWEEN ?2 AND ?3"
"""Between the first and the last id of a job nearly all are its own; by jobs an index has them in another order, so
that each page would sort them all."""
LATE = "job = ? AND place > ?"
READ = f"""SELECT r.*, count(trips.batch) AS attempts, {SPENT},
        (SELECT group_concat(remote_id, ' ') FROM (
            SELECT remote_id FROM trips JOIN batches ON id = batch WHERE request = r.id ORDER BY id
        )) AS remote_ids,
        count(*) FILTER (WHERE outcome = 'succeeded' AND sending >= counts_from) AS rounds,
        CASE WHEN count(trips.batch) > 1 THEN (
            SELECT json_group_array(json_object('batch', remote_id, 'outcome', outcome, 'stop_reason',
                stop_reason, 'output_tokens', output_tokens, 'bounded', bounded,
                'cost_picodollars', cost)) FROM (
            SELECT * FROM trips JOIN batches ON id = batch WHERE request = r.id ORDER BY id
        )) END AS chain
    FROM (SELECT id, job, custom_id, model, verdict, stop_reason, reason, document, sections, offset, size,
              betas, wishes, filed, budget, first, counts_from, place, record,
              rounds + round AS continued
          FROM requests
          WHERE {{0}} AND verdict IS NOT NULL ORDER BY {{1}} LIMIT ?) AS r
    LEFT JOIN trips ON trips.request = r.id
    GROUP BY r.id ORDER BY r.{{1}}"""  # noqa: S608  own text
"""Every request of jobs that a condition names, in the order of a column, with its trips summed up."""


def _with_row(row: Row) -> tuple[Row, ReportRow]:
    return row, _report_row(row)


def _report_row(row: Row) -> ReportRow:
    verdict = Verdict(row["verdict"])
    return ReportRow(
        custom_id=row["custom_id"],
        verdict=verdict,
        stop_reason=row["stop_reason"],
        reason=row["reason"] or "",
        usage=usage_of(row),
        cost=cost_of(row),
        attempts=row["attempts"],
        rounds=row["rounds"],
        model=row["model"],
        batches=tuple((row["remote_ids"] or "").split()),
        document=row["document"],
        sections=tuple((title, file) for title, file in json.loads(row["sections"])) if row["sections"] else (),
        chain=tuple(json.loads(row["chain"])) if row["chain"] else (),
        cached=row["first"] is not None,
        settings={} if verdict is Verdict.COMPLETE else _settings(row),
        offset=row["offset"],
        size=row["size"],
        filed=_filed(row),
        bounded=row["bounded"],
        place=row["place"],
        record=row["record"],
    )


def _filed(row: Row) -> Filed | None:
    """What became of its files; of one without an answer, that there are none."""
    if not wishes_of(row).files:
        return None
    written, refused = json.loads(row["filed"] or "[[], []]")
    return Filed(tuple(written), tuple((path, reason) for path, reason in refused))


def _settings(row: Row) -> dict[str, object]:
    """What was said of a request beside its params, as a job file says it."""
    said: dict[str, object] = {"continue": row["continued"]}
    if row["betas"]:
        said["betas"] = row["betas"].split(",")
    said |= json.loads(row["wishes"])
    if row["budget"] is not None:
        said["budget"] = float(from_picodollars(row["budget"]))
    return said

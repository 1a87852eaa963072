"""Tallies: how a job's requests stand, what they have cost, and in which batches they travelled."""

import json
from collections.abc import Sequence

from batchd.delivery import Tally
from batchd.edges.store.database import Database
from batchd.edges.store.rollup import COUNTS_OF_JOBS, SUMS_OF_JOBS
from batchd.edges.store.statements import AMONG, Row
from batchd.edges.store.sums import tally_of
from batchd.model import JobId


class Tallies:
    """The sums of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, job: JobId) -> Tally:
        """Count how the requests of a job stand, and what they have cost.

        Args:
            job: Its id.
        """
        return (await self.of_all([job]))[job]

    async def of_all(self, jobs: Sequence[JobId]) -> dict[JobId, Tally]:
        """Count how the requests of each of some jobs stand, and what they have cost."""
        among = json.dumps(list(jobs))
        counts: dict[int, list[Row]] = {job: [] for job in jobs}
        for row in await self._database.rows(COUNTS_OF_JOBS, among):
            counts[row["job"]].append(row)
        spent = {row["job"]: row for row in await self._database.rows(SUMS_OF_JOBS, among)}
        models: dict[int, dict[str, int]] = {job: {} for job in jobs}
        for row in await self._database.rows(
            f"""SELECT job, model, count(*) AS n FROM requests WHERE {AMONG.format("job")}
                GROUP BY job, model ORDER BY model""",  # noqa: S608  own text
            among,
        ):
            models[row["job"]][row["model"]] = row["n"]
        return {job: tally_of(counts[job], spent.get(job), models[job]) for job in jobs}

    async def batches_of(self, job: JobId) -> list[str]:
        """Name the batches of the API that a job travelled in, in the order of their making.

        Args:
            job: Its id.
        """
        return (await self.batches_of_all([job]))[job]

    async def batches_of_all(self, jobs: Sequence[JobId]) -> dict[JobId, list[str]]:
        """Name the batches of the API that each of some jobs travelled in, in the order of their making."""
        found: dict[JobId, list[str]] = {job: [] for job in jobs}
        for row in await self._database.rows(
            f"""SELECT job, remote_id, twin FROM job_batches JOIN batches ON batches.id = batch
                WHERE {AMONG.format("job")} AND trips > 0 AND remote_id IS NOT NULL ORDER BY batch""",  # noqa: S608  own text
            json.dumps(list(jobs)),
        ):
            found[row["job"]] += (remote for remote in (row["remote_id"], row["twin"]) if remote is not None)
        return found

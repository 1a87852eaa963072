"""What `batchd status` shows, read in a few queries however many jobs there are."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from batchd.delivery import Tally
from batchd.edges.store.batches import Batches
from batchd.edges.store.database import Database
from batchd.edges.store.facts import Facts
from batchd.edges.store.jobs import Jobs
from batchd.edges.store.notices import Notices
from batchd.edges.store.pauses import Pause, Pauses
from batchd.edges.store.rollup import COUNTS_OF_JOBS, SUMS_OF_JOBS
from batchd.edges.store.statements import AMONG, Row
from batchd.edges.store.sums import tally_of
from batchd.edges.store.troubles import Troubles
from batchd.model import Batch, BatchId, Job, JobId
from batchd.trouble import Trouble, Work

_THESE = AMONG.format("job")


@dataclass(frozen=True, slots=True)
class Shared:
    """A batch that a job shares with others, so that it cannot be stopped for that job alone."""

    batch: BatchId
    requests: int
    """Those of the job."""
    others: tuple[str, ...]
    """The jobs that want their share of it."""


@dataclass(frozen=True, slots=True)
class JobStanding:
    """How one job stands."""

    job: Job
    tally: Tally
    batches: tuple[BatchId, ...]
    """Every batch that it travelled in, oldest first."""
    shared: tuple[Shared, ...] = ()
    """Of a job that is being cancelled: what goes on all the same, and is charged."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How everything stands."""

    jobs: tuple[JobStanding, ...]
    batches: tuple[Batch, ...]
    """Those that are not finished; where one job was asked for, all of that job."""
    troubles: tuple[Trouble, ...] = ()
    """What keeps single things from being done, batches apart; where one job was asked for, that job."""
    sandbox: bool = False
    """Whether it was the sandbox that the daemon worked with last."""
    paused: tuple[Pause, ...] = ()
    """What is not sent, since a person has said so."""
    untold: tuple[tuple[str, int, float, str], ...] = ()
    """Sinks that did not take what they were offered: how much waits, since when, and why."""
    wrong_settings: str | None = None
    """What is wrong with settings that were read anew, while the old ones hold."""


class Overview:
    """The store as people see it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs = Jobs(database)
        self._batches = Batches(database)
        self._troubles = Troubles(database)
        self._facts = Facts(database)
        self._pauses = Pauses(database)
        self._notices = Notices(database)

    async def read(self, *, finished: int, since: float | None = None) -> Standing:
        """Read how every unfinished job and batch stands, and the last finished jobs.

        Args:
            finished: How many finished jobs.
            since: Unix seconds: instead of the last, all that were received or have finished since.
        """
        shown = await (self._jobs.recent(finished) if since is None else self._jobs.since(since))
        jobs = await self._standing(shown)
        troubles = await self._troubles.all()
        batches = tuple(await self._batches.unfinished())
        sandbox, paused = await self._facts.of_sandbox(), tuple(await self._pauses.all())
        untold, wrong = tuple(await self._notices.stuck()), await self._facts.wrong_settings()
        return Standing(jobs, batches, _shown(troubles), sandbox, paused, untold, wrong)

    async def read_job(self, job: Job) -> Standing:
        """Read how one job stands, with every batch that it travelled in.

        Args:
            job: The job.
        """
        (standing,) = await self._standing([job])
        batches = tuple(await self._batches.of(standing.batches))
        troubles, sandbox = await self._troubles.of(job.id), await self._facts.of_sandbox()
        paused, wrong = tuple(await self._pauses.all()), await self._facts.wrong_settings()
        return Standing((standing,), batches, _shown(troubles), sandbox, paused, wrong_settings=wrong)

    async def of(self, jobs: Sequence[Job]) -> Standing:
        """Read how some jobs stand, with every batch and trouble that there is."""
        batches = tuple(await self._batches.unfinished())
        troubles = _shown(await self._troubles.all())
        sandbox, paused = await self._facts.of_sandbox(), tuple(await self._pauses.all())
        return Standing(await self._standing(jobs), batches, troubles, sandbox, paused)

    async def names(self) -> list[str]:
        """Name every job."""
        return [row["name"] for row in await self._database.rows("SELECT name FROM jobs")]

    async def shared(self, job: JobId) -> tuple[Shared, ...]:
        """List the batches that a job travels in together with jobs that are not cancelled."""
        rows = await self._database.rows(
            """SELECT batches.id, count(*) FILTER (WHERE job = ?1) AS mine, (
                   SELECT json_group_array(name) FROM (
                       SELECT name FROM jobs WHERE id IN (SELECT r.job FROM requests AS r WHERE r.batch = batches.id)
                       AND id <> ?1 AND NOT cancel_wanted ORDER BY id) AS sharing) AS others
               FROM requests JOIN batches ON batches.id = batch
               WHERE batch IN (SELECT batch FROM requests WHERE job = ?1 AND batch IS NOT NULL)
                 AND state NOT IN ('planned', 'settled', 'dissolved')
               GROUP BY batches.id ORDER BY batches.id""",
            job,
        )
        found = [Shared(BatchId(row["id"]), row["mine"], tuple(json.loads(row["others"]))) for row in rows]
        return tuple(each for each in found if each.others)

    async def _standing(self, jobs: Sequence[Job]) -> tuple[JobStanding, ...]:
        ids = json.dumps([job.id for job in jobs])
        counted: defaultdict[int, list[Row]] = defaultdict(list)
        for row in await self._database.rows(COUNTS_OF_JOBS, ids):
            counted[row["job"]].append(row)
        travelled: defaultdict[int, list[BatchId]] = defaultdict(list)
        for row in await self._database.rows(
            f"SELECT job, batch FROM job_batches WHERE {_THESE} AND trips > 0 ORDER BY batch",  # noqa: S608  own text
            ids,
        ):
            travelled[row["job"]].append(BatchId(row["batch"]))
        sums = {JobId(row["job"]): row for row in await self._database.rows(SUMS_OF_JOBS, ids)}
        cancelling = [job.id for job in jobs if job.cancel_wanted and not job.delivered]
        shared = {job: await self.shared(job) for job in cancelling}
        return tuple(
            JobStanding(
                job,
                tally_of(counted[job.id], sums.get(job.id)),
                tuple(travelled[job.id]),
                shared.get(job.id, ()),
            )
            for job in jobs
        )


def _shown(troubles: Sequence[Trouble]) -> tuple[Trouble, ...]:
    """Those of batches stand in their own rows."""
    return tuple(trouble for trouble in troubles if trouble.thing.work is not Work.CARRY)

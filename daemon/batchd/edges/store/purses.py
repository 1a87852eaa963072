"""What may be spent just now: of each job, and of the days, months and folders that jobs share."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from batchd.decisions.money.budget import Bar, Later, Limit, Purse, Share
from batchd.edges.store.database import Database
from batchd.edges.store.statements import AMONG, Row
from batchd.edges.store.sums import MICRO, amount, exact
from batchd.model import Ceiling, JobId

_PROMISED = f"SELECT {exact('worst', 'promised')} FROM requests WHERE promised AND batch IS NULL AND verdict IS NULL"  # noqa: S608
"""What further rounds of unfinished documents can cost, while they wait for their trip."""
_PROMISED_OF_JOB = ", ".join(
    f"""(SELECT coalesce(sum(worst {part} {MICRO}), 0) FROM requests INDEXED BY requests_promised
        WHERE job = jobs.id AND promised AND batch IS NULL AND verdict IS NULL) AS promised_{name}"""  # noqa: S608  own text
    for name, part in (("micro", "/"), ("pico", "%"))
)
_BEGUN = "EXISTS (SELECT 1 FROM requests WHERE job = jobs.id AND sendings > 0)"
"""Of jobs of which something was sent."""
_DAY = 86_400.0

_COMMITTED = """
    SELECT coalesce(sum(cost_micro + reserved_micro), 0) AS committed_micro,
        coalesce(sum(cost_pico + reserved_pico), 0) AS committed_pico FROM spent
    WHERE {} AND sandbox = EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox')"""
"""What a rehearsal came to is no money, and what was paid is none of a rehearsal's."""


@dataclass(frozen=True, slots=True)
class QueueBudget:
    """What the jobs of a top folder may cost together, in picodollars; None for any amount."""

    per_day: int | None = None
    per_month: int | None = None


class _Reserved(NamedTuple):
    """What is reserved for later steps of a job that has begun."""

    folder: str | None
    """Of its instructions."""
    queue: str
    rest: int


class Purses:
    """The sums that budgets are held against."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def purse(  # noqa: PLR0913  every budget there is
        self,
        jobs: Collection[JobId],
        *,
        per_job: int | None,
        per_day: int | None,
        midnight: float,
        per_month: int | None = None,
        month: float = 0.0,
        queues: Mapping[str, QueueBudget] = MappingProxyType({}),
    ) -> Purse:
        """Say what may be spent just now.

        Args:
            jobs: Those that want to spend.
            per_job: Picodollars that a job may cost which does not say itself; None for any amount.
            per_day: Picodollars for all jobs of a day; None for any amount.
            midnight: When the day began, in unix seconds.
            per_month: Picodollars for all jobs of a month; None for any amount.
            month: When the month began, in unix seconds.
            queues: What the jobs of some top folders may cost together.
        """
        promised = amount(await self._database.row(_PROMISED), "promised")
        today = await self._database.row(_COMMITTED.format("day = ?1"), int(midnight // _DAY))
        rows = await self._database.rows(
            f"""SELECT jobs.id, queue, budget, released, released_up_to, folder, folder_per_day, committed_micro,
                    committed_pico, promised_micro, promised_pico, later, later_open,
                    steps_left > 0 AND {_BEGUN} AS begun
                FROM jobs LEFT JOIN (
                    SELECT job, {exact("worst", "promised")} FROM requests
                    WHERE promised AND batch IS NULL AND verdict IS NULL GROUP BY job
                ) AS promised ON job = jobs.id
                WHERE {AMONG.format("jobs.id")}""",  # noqa: S608  our own text
            json.dumps(list(jobs)),
        )

        def spent(row: Row) -> int:
            begun = 0 if row["promised_micro"] is None else amount(row, "promised")
            return amount(row, "committed") + begun + int(row["later"] * row["begun"])

        reserved = await self._reserved()
        return Purse(
            today=Limit(per_day, amount(today, "committed") + promised + sum(each.rest for each in reserved)),
            jobs={
                JobId(row["id"]): Limit(per_job if row["budget"] is None else row["budget"], spent(row)) for row in rows
            },
            released={JobId(row["id"]): row["released_up_to"] for row in rows if row["released"]},
            ceilings={JobId(row["id"]): Ceiling(row["folder"], row["folder_per_day"]) for row in rows if row["folder"]},
            folders=await self._folders({row["folder"] for row in rows if row["folder"]}, midnight, reserved),
            shares={JobId(row["id"]): tuple(_shares(row, per_month, queues)) for row in rows},
            pots=await self._pots({row["queue"] for row in rows} & queues.keys(), midnight, month, reserved)
            | await self._month(per_month, month, promised, reserved),
            steps={
                JobId(row["id"]): Later(row["later"], bool(row["later_open"]))
                for row in rows
                if not row["begun"] and (row["later"] or row["later_open"])
            },
        )

    async def _month(
        self, per_month: int | None, month: float, promised: int, reserved: Iterable[_Reserved]
    ) -> dict[tuple[Bar, str], int]:
        if per_month is None:
            return {}
        row = await self._database.row(_COMMITTED.format("day >= ?1"), int(month // _DAY))
        return {(Bar.MONTH, ""): amount(row, "committed") + promised + sum(each.rest for each in reserved)}

    async def _pots(
        self, queues: Collection[str], midnight: float, month: float, reserved: Collection[_Reserved]
    ) -> dict[tuple[Bar, str], int]:
        """Sum up what is spent or reserved of some top folders in a day and in a month."""
        pots: dict[tuple[Bar, str], int] = {}
        for queue in queues:
            begun = await self._database.row(
                f"""SELECT {exact("worst", "promised")} FROM requests JOIN jobs ON jobs.id = requests.job
                    WHERE promised AND batch IS NULL AND verdict IS NULL AND queue = ?""",  # noqa: S608  our own text
                queue,
            )
            later = amount(begun, "promised") + sum(each.rest for each in reserved if each.queue == queue)
            for bar, since in ((Bar.QUEUE_DAY, midnight), (Bar.QUEUE_MONTH, month)):
                row = await self._database.row(_COMMITTED.format("day >= ?1 AND queue = ?2"), int(since // _DAY), queue)
                pots[bar, queue] = later + amount(row, "committed")
        return pots

    async def _reserved(self) -> list[_Reserved]:
        """List what is reserved for later steps of jobs that have begun, each with the folder of its instructions."""
        rows = await self._database.rows(
            f"""SELECT folder, queue, later, later_open, released, released_up_to, budget, committed_micro,
                    committed_pico, {_PROMISED_OF_JOB}
                FROM jobs WHERE steps_left > 0 AND NOT delivered AND NOT cancel_wanted AND {_BEGUN}
                  AND sandbox = EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox')"""  # noqa: S608  own text
        )
        return [
            _Reserved(row["folder"], row["queue"], Later(row["later"], bool(row["later_open"])).rest(_limit(row)))
            for row in rows
        ]

    async def _folders(
        self, folders: Collection[str], midnight: float, reserved: Iterable[_Reserved]
    ) -> dict[str, int]:
        """Sum up what is spent or reserved of some folders in a day, further rounds of what is unfinished included."""
        if not folders:
            return {}
        among = json.dumps(list(folders))
        days = await self._database.rows(
            "SELECT * FROM folder_days WHERE folder IN (SELECT value FROM json_each(?)) AND day = ?",
            among,
            int(midnight // _DAY),
        )
        begun = await self._database.rows(
            f"""SELECT folder, {exact("worst", "promised")} FROM requests JOIN jobs ON jobs.id = requests.job
                WHERE promised AND batch IS NULL AND verdict IS NULL
                  AND folder IN (SELECT value FROM json_each(?)) GROUP BY folder""",  # noqa: S608  our own text
            among,
        )
        sums = {row["folder"]: amount(row, "committed") for row in days}
        for row in begun:
            sums[row["folder"]] = sums.get(row["folder"], 0) + amount(row, "promised")
        for each in reserved:
            if each.folder in folders:
                sums[each.folder] = sums.get(each.folder, 0) + each.rest
        return sums

    async def limited(self) -> bool:
        """Whether any job or request that is under way has a budget of its own, or of its folder's."""
        row = await self._database.row(
            """SELECT 1 WHERE EXISTS (SELECT 1 FROM requests WHERE verdict IS NULL AND budget IS NOT NULL)
                   OR EXISTS (SELECT 1 FROM jobs
                              WHERE NOT delivered AND (budget IS NOT NULL OR released_up_to IS NOT NULL
                                                       OR folder_per_day IS NOT NULL))"""
        )
        return row is not None

    async def limit_of(self, job: JobId) -> Limit:
        """Say what a job may cost, its steps included, and what of that is spent, or reserved for what is asked."""
        row = await self._database.row(
            f"""SELECT budget, released, released_up_to, committed_micro, committed_pico, {_PROMISED_OF_JOB}
                FROM jobs WHERE id = ?""",  # noqa: S608  our own text
            job,
        )
        if row is None:
            raise LookupError(f"no job {job}")
        return _limit(row)

    async def committed(self, job: JobId) -> int:
        """Say what a job has spent or reserved, further rounds of what is unfinished included, in picodollars."""
        purse = await self.purse([job], per_job=None, per_day=None, midnight=0.0)
        return purse.jobs[job].committed


def _limit(row: Row) -> Limit:
    budget = row["released_up_to"] if row["released"] else row["budget"]
    return Limit(budget, amount(row, "committed") + amount(row, "promised"))


def _shares(row: Row, per_month: int | None, queues: Mapping[str, QueueBudget]) -> Iterator[Share]:
    if (queue := queues.get(row["queue"])) is not None:
        yield Share(Bar.QUEUE_DAY, row["queue"], queue.per_day)
        yield Share(Bar.QUEUE_MONTH, row["queue"], queue.per_month)
    if per_month is not None:
        yield Share(Bar.MONTH, "", per_month)

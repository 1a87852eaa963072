"""What was spent or is reserved, by job and by day; and the jobs that wait for money."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import aiosqlite

from batchd.decisions.money.budget import Bar, Hold, Later, Limit, Purse, Share
from batchd.edges.store.deliveries import LET_GO
from batchd.edges.store.events import note_hold
from batchd.edges.store.requests import wishes_of
from batchd.edges.store.rollup import COLUMNS, SUMS
from batchd.edges.store.sqlite.database import Database
from batchd.edges.store.sqlite.statements import Row, betas_of, update
from batchd.edges.store.sums import MICRO, amount, exact
from batchd.model import Ceiling, Held, JobId, Place, RequestId

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

_COMMITTED_SINCE = """
    SELECT coalesce(sum(cost_micro + reserved_micro), 0) AS committed_micro,
        coalesce(sum(cost_pico + reserved_pico), 0) AS committed_pico FROM spent
    WHERE day >= ?1 AND {} AND sandbox = EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox')"""
_COMMITTED_OF_DAY = """
    SELECT coalesce(sum(cost_micro + reserved_micro), 0) AS committed_micro,
        coalesce(sum(cost_pico + reserved_pico), 0) AS committed_pico FROM spent
    WHERE day = ? AND sandbox = EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox')"""
"""What a rehearsal came to is no money, and what was paid is none of a rehearsal's."""

_SEEN = "(?2 IS NULL OR queue IN (SELECT value FROM json_each(?2)))"
_ROLLED_UP = f"""SELECT {{}} AS label, sandbox, {{}} FROM spent WHERE day >= ?1 AND {_SEEN} GROUP BY label, sandbox
    HAVING sum(trips) > 0 ORDER BY label, sandbox"""  # noqa: S608  own text
GROUPS: Mapping[str, str] = {
    "day": _ROLLED_UP.format("date(day * 86400, 'unixepoch')", SUMS),
    "model": _ROLLED_UP.format("model", SUMS),
    "folder": _ROLLED_UP.format("queue", SUMS),
    "job": f"""SELECT name AS label, sandbox, {SUMS} FROM (
                   SELECT job, day, {", ".join(COLUMNS)} FROM charges
                   UNION ALL SELECT job, day, {", ".join(COLUMNS)} FROM spent_of_jobs
               ) JOIN jobs ON jobs.id = job WHERE day >= ?1 AND {_SEEN} GROUP BY job ORDER BY label""",  # noqa: S608  our own names
}
"""By what spending can be told; days are UTC, and a batch belongs to the day it was made."""


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
        today = await self._database.row(_COMMITTED_OF_DAY, int(midnight // _DAY))
        rows = await self._database.rows(
            f"""SELECT jobs.id, queue, budget, released, released_up_to, folder, folder_per_day, committed_micro,
                    committed_pico, promised_micro, promised_pico, later, later_open,
                    steps_left > 0 AND {_BEGUN} AS begun
                FROM jobs LEFT JOIN (
                    SELECT job, {exact("worst", "promised")} FROM requests
                    WHERE promised AND batch IS NULL AND verdict IS NULL GROUP BY job
                ) ON job = jobs.id
                WHERE jobs.id IN (SELECT value FROM json_each(?))""",  # noqa: S608  our own text
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
        row = await self._database.row(_COMMITTED_SINCE.format("1"), int(month // _DAY))
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
                row = await self._database.row(_COMMITTED_SINCE.format("queue = ?2"), int(since // _DAY), queue)
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

    async def hold(
        self,
        holds: Mapping[JobId, Hold],
        purse: Purse,
        *,
        now: float,
        tomorrow: float,
        next_month: float | None = None,
    ) -> None:
        """Keep jobs from sending more; not those that a person has let go since the purse was looked into.

        Args:
            holds: Which, and why.
            purse: By which that was decided.
            now: Unix seconds.
            tomorrow: When the next day begins, in unix seconds.
            next_month: The same of the month.
        """

        async def step(db: aiosqlite.Connection) -> None:
            for job, hold in holds.items():
                await update(
                    db,
                    """UPDATE jobs SET hold = ?, held_from = ?, hold_until = ?, hold_room = ?
                       WHERE id = ? AND released = ? AND released_up_to IS ?""",
                    hold.reason,
                    hold.first,
                    tomorrow if hold.until_tomorrow else next_month if hold.until_next_month else None,
                    hold.room,
                    job,
                    job in purse.released,
                    purse.released.get(job),
                )
                await note_hold(db, job, hold.bar, _episode(job, hold, purse, tomorrow, next_month), now)

        await self._database.write(step)

    async def uncounted(self, ahead: int) -> list[Held]:
        """List what is held by a bound: of each job the request that does not fit, and what comes after it.

        Args:
            ahead: Requests of one job, at the most.
        """
        return await self._database.values(
            _held,
            """SELECT r.id, job, jobs.name AS job_name, hold_room, model, max_tokens, r.betas, rounds, allowance,
                   wishes, worst, r.counted, claim, coalesce(sent_offset, offset) AS offset,
                   coalesce(sent_size, size) AS size
               FROM jobs JOIN requests AS r ON r.id IN (
                   SELECT id FROM requests WHERE job = jobs.id AND id >= held_from AND verdict IS NULL
                   AND batch IS NULL AND NOT promised AND worst IS NOT NULL ORDER BY id LIMIT ?)
               WHERE hold IS NOT NULL AND hold_room IS NOT NULL AND NOT cancel_wanted
                 AND EXISTS (SELECT 1 FROM requests WHERE id = held_from AND NOT counted)
               ORDER BY job, r.id""",
            ahead,
        )

    async def counted(self, request: RequestId, worst: int) -> None:
        """Note what a held request can cost, now that its tokens are counted; its job is tried again.

        Args:
            request: Its id.
            worst: Picodollars.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(
                db,
                """UPDATE requests SET counted = 1, worst = ?
                   WHERE id = ? AND batch IS NULL AND verdict IS NULL AND NOT promised""",
                worst,
                request,
            )
            await update(db, f"{LET_GO} WHERE hold IS NOT NULL AND held_from = ?", request)

        await self._database.write(step)

    async def let_go(self, now: float) -> None:
        """Try those again whose day has come.

        Args:
            now: Unix seconds.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, f"{LET_GO} WHERE hold IS NOT NULL AND hold_until <= ?", now)

        if await self._database.row("SELECT 1 FROM jobs WHERE hold IS NOT NULL AND hold_until <= ? LIMIT 1", now):
            await self._database.write(step)

    async def release(self, job: JobId, up_to: int | None = None) -> None:
        """Let a job go.

        Args:
            job: Its id.
            up_to: Picodollars that it may cost in all; None for whatever it costs.
        """

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, f"{LET_GO}, twin = NULL, released = 1, released_up_to = ? WHERE id = ?", up_to, job)

        await self._database.write(step)

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

    async def release_twin(self, job: JobId) -> None:
        """Let a job go that seemed to be another once more; budgets hold for it as for any other."""

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, f"{LET_GO}, caution = hold, twin = NULL WHERE id = ? AND twin IS NOT NULL", job)

        await self._database.write(step)

    async def committed(self, job: JobId) -> int:
        """Say what a job has spent or reserved, further rounds of what is unfinished included, in picodollars."""
        purse = await self.purse([job], per_job=None, per_day=None, midnight=0.0)
        return purse.jobs[job].committed

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
                group=row["label"],
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
                         WHERE request = r.id AND outcome = 'succeeded') WHERE part BETWEEN 2 AND r.round)
                 ) / (rounds + round) END BETWEEN ? AND ?
               ORDER BY id DESC LIMIT ?""",
            model,
            least,
            most,
            newest,
        )


def _limit(row: Row) -> Limit:
    budget = row["released_up_to"] if row["released"] else row["budget"]
    return Limit(budget, amount(row, "committed") + amount(row, "promised"))


def _shares(row: Row, per_month: int | None, queues: Mapping[str, QueueBudget]) -> Iterator[Share]:
    if (queue := queues.get(row["queue"])) is not None:
        yield Share(Bar.QUEUE_DAY, row["queue"], queue.per_day)
        yield Share(Bar.QUEUE_MONTH, row["queue"], queue.per_month)
    if per_month is not None:
        yield Share(Bar.MONTH, "", per_month)


def _held(row: Row) -> Held:
    return Held(
        id=RequestId(row["id"]),
        model=row["model"],
        max_tokens=row["max_tokens"],
        rounds=row["rounds"],
        allowance=row["allowance"],
        wishes=wishes_of(row),
        betas=betas_of(row),
        worst=row["worst"],
        place=Place(row["claim"], row["offset"], row["size"]),
        job=JobId(row["job"]),
        job_name=row["job_name"],
        room=row["hold_room"],
        counted=bool(row["counted"]),
    )


def _episode(job: JobId, hold: Hold, purse: Purse, tomorrow: float, next_month: float | None) -> str:
    """What makes a hold another one than before: the day or month of its budget, or how far a person has let it go."""
    if hold.until_tomorrow or hold.until_next_month:
        return str(int(tomorrow if hold.until_tomorrow else next_month or 0))
    return str(purse.released[job]) if purse.released.get(job) is not None else ""

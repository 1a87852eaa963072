"""Steps: how those of a job stand, and how the next one begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from batchd.edges.store.database import Database
from batchd.edges.store.events import note_hold
from batchd.edges.store.job_rows import job_of
from batchd.edges.store.requests import NewRequest, Stored, free_id, insert_all
from batchd.edges.store.statements import Transaction, update
from batchd.model import Answered, Job, JobId, StepBar

DUE: Final = """steps_left > 0 AND step_hold IS NULL AND NOT cancel_wanted AND NOT retry_wanted AND NOT delivered
    AND missing = 0 AND NOT EXISTS (SELECT 1 FROM requests WHERE job = jobs.id AND verdict IS NULL)
    AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'restoring')"""
"""Of jobs whose next step can be taken."""
TO_RETRY: Final = """retry_wanted AND (delivered OR (step_hold IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM requests WHERE job = jobs.id AND verdict IS NULL)))"""
"""Of jobs whose requests a person wants sent again, where nothing else of them is under way."""
_AS_IT_WAS: Final = """id = :id AND steps_left = :left_before AND total = :total_before AND step_hold IS NULL
    AND NOT cancel_wanted AND NOT retry_wanted AND NOT delivered"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a later step may need."""

    custom_id: str
    complete: bool
    document: str | None
    """In the job's folder."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What becomes of a step."""

    left: int
    """How many steps are to be taken after that."""
    later: int
    """Picodollars that stay reserved."""
    open: bool
    """Whether a list is still to decide how much is asked."""
    requests: Sequence[NewRequest] = ()
    promised: bool = False
    """Whether what they can cost was reserved before."""
    entries: int | None = None
    """Of its list, where not all are asked yet."""
    note: str = ""
    """Why it asks nothing."""


class JobSteps:
    """The steps of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self) -> list[Job]:
        """List the jobs whose next step can be taken."""
        return [job_of(row) for row in await self._database.rows(f"SELECT * FROM jobs WHERE {DUE} ORDER BY id")]  # noqa: S608  own text

    async def is_due(self, job: JobId) -> bool:
        """Whether the next step of a job can be taken."""
        return await self._database.row(f"SELECT 1 FROM jobs WHERE id = ? AND {DUE}", job) is not None  # noqa: S608  own text

    async def standing(self, job: JobId) -> dict[int, Answered]:
        """Say how the steps of a job stand that were begun, by their numbers."""
        rows = await self._database.rows(
            """SELECT step, count(*) AS n, count(*) FILTER (WHERE verdict = 'complete') AS complete,
                   count(*) FILTER (WHERE verdict IS NULL) AS open
               FROM requests WHERE job = ? AND step IS NOT NULL GROUP BY step""",
            job,
        )
        return {row["step"]: Answered(row["n"], row["complete"], row["open"]) for row in rows}

    async def answers(self, job: JobId, step: int, *, last: bool = False) -> list[Answer]:
        """List what a step of a job has answered, in the order in which it was asked.

        Args:
            step: Its number.
            last: Whether only the last complete one is wanted.
        """
        which = "verdict = 'complete' ORDER BY id DESC LIMIT 1" if last else "TRUE ORDER BY id"
        rows = await self._database.rows(
            f"SELECT custom_id, verdict, document FROM requests WHERE job = ? AND step = ? AND {which}",  # noqa: S608  own text
            job,
            step,
        )
        return [Answer(row["custom_id"], row["verdict"] == "complete", row["document"]) for row in rows]

    async def take(self, job: Job, taken: Taken, *, now: float) -> bool:
        """Take a step, or a part of one, in one commit.

        Args:
            job: As it was when that was decided; where it has changed since, nothing is done.
            taken: What becomes of it.
            now: Unix seconds, from which on its requests wait.

        Returns:
            Whether it was done.
        """

        async def step(db: Transaction) -> bool:
            done = await db.rows(
                f"""UPDATE jobs SET total = total + :new, steps_left = :left, later = :later, later_open = :open,
                        step_entries = :entries,
                        steps_note = CASE :note WHEN '' THEN steps_note
                                     ELSE coalesce(steps_note || '; ', '') || :note END
                    WHERE {_AS_IT_WAS} RETURNING id""",  # noqa: S608  own text
                {
                    "id": job.id,
                    "left_before": job.steps_left,
                    "total_before": job.total,
                    "new": len(taken.requests),
                    "left": taken.left,
                    "later": taken.later,
                    "open": taken.open,
                    "note": taken.note,
                    "entries": taken.entries,
                },
            )
            if not done:
                return False
            if taken.requests:
                base = await free_id(db)
                await insert_all(db, [Stored(job.id, base, 0, now, taken.requests)])
                await update(
                    db, "UPDATE requests SET promised = ? WHERE job = ? AND id >= ?", taken.promised, job.id, base
                )
            return True

        return await self._database.write(step)

    async def hold(self, job: Job, reason: str, bar: StepBar, *, now: float) -> bool:
        """Let the next step of a job wait for a person, unless it has changed since; whether that was done.

        Args:
            now: Unix seconds.
        """

        async def step(db: Transaction) -> bool:
            held = await db.rows(
                f"UPDATE jobs SET step_hold = :reason, step_bar = :bar WHERE {_AS_IT_WAS} RETURNING id",  # noqa: S608  own text
                {
                    "reason": reason,
                    "bar": bar,
                    "id": job.id,
                    "left_before": job.steps_left,
                    "total_before": job.total,
                },
            )
            if held:
                await note_hold(db, job.id, f"step {bar}", f"{job.steps_left} {now}", now)
            return bool(held)

        return await self._database.write(step)

    async def release(self, job: JobId) -> None:
        """Let a job go on without what is not complete so far, or cannot be asked."""

        async def step(db: Transaction) -> None:
            await update(
                db,
                """UPDATE jobs SET step_hold = NULL, step_bar = NULL, steps_passed = max(steps_passed, CASE step_bar
                       WHEN 'answers' THEN (SELECT coalesce(max(step), -1) + 1 FROM requests WHERE job = jobs.id)
                       WHEN 'prompts' THEN json_array_length(steps, '$.steps') - steps_left + 1
                       ELSE 0 END)
                   WHERE id = ? AND step_hold IS NOT NULL""",
                job,
            )

        await self._database.write(step)

"""What happens is noted in the commit in which it happens: the notice of it, told later."""

import json
from collections import Counter
from collections.abc import Sequence

from batchd.edges.store.statements import AMONG, Transaction, fetch, many, returning, update
from batchd.model import BatchId, JobId
from batchd.notice import Kind, NewNotice

HOLD = 60.0
"""Seconds for which a hold may dissolve by itself, untold."""
FLOOD = 20
"""Files of one folder that are told one by one within a time; the others in one notice."""
FLOOD_TIME = 600.0
"""That time, in seconds."""

_NOTE = """INSERT INTO notices (at, due_at, kind, subject, job, queue, data, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""

_NOTE_HELD = """INSERT INTO notices (at, due_at, kind, subject, job, queue, data, about)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""


async def note(db: Transaction, notice: NewNotice, state: str = "new") -> bool:
    """Note something, and say whether it is news; what was noted before changes nothing.

    Args:
        db: The connection that a step was given.
        notice: What.
        state: Whether it is to be told by itself.
    """
    return await update(db, _NOTE, *_values(notice), state) > 0


def _values(notice: NewNotice) -> tuple[object, ...]:
    data = json.dumps(notice.data)
    return notice.at, notice.at + notice.after, notice.kind, notice.subject, notice.job, notice.queue, data


async def note_ends(db: Transaction, notices: Sequence[NewNotice]) -> None:
    """Note that jobs have ended, and count them and their requests; what a job had before it ended anew counts once.

    Args:
        db: The connection that a step was given.
        notices: Of different jobs.
    """
    await many(db, _NOTE, [(*_values(each), "new") for each in notices])
    sql = f"SELECT id, counted FROM jobs WHERE counted IS NOT NULL AND {AMONG.format('id')}"  # noqa: S608  own text
    found = await fetch(db, sql, json.dumps([each.job for each in notices]))
    before = {row["id"]: json.loads(row["counted"]) for row in found}
    ended: Counter[tuple[str, str, str]] = Counter()
    for each in notices:
        known = before.get(each.job, {})
        ended["job", str(each.data["state"]), each.queue or ""] += 1
        for verdict, number in each.verdicts.items():
            ended["request", verdict, each.queue or ""] += max(number - known.get(verdict, 0), 0)
    await many(db, _COUNT, [(*key, number) for key, number in ended.items() if number])
    counted = [(json.dumps(dict(each.verdicts)), each.job) for each in notices]
    await many(db, "UPDATE jobs SET counted = ? WHERE id = ?", counted)


_COUNT = """INSERT INTO counters (name, label, queue, n) VALUES (?, ?, ?, ?)
    ON CONFLICT (name, label, queue) DO UPDATE SET n = counters.n + excluded.n"""


async def count(db: Transaction, name: str, label: str, queue: str, more: int = 1) -> None:
    """Count what has come to its end.

    Args:
        db: The connection that a step was given.
        name: What: job, request, file or defect.
        label: Its state or verdict.
        queue: Its folder.
        more: How many.
    """
    await update(db, _COUNT, name, label, queue, more)


async def note_hold(db: Transaction, job: JobId, bar: str, episode: str, now: float) -> None:
    """Note that a job waits for money, or for a person to say how its next step goes, if it still does.

    Args:
        db: The connection that a step was given.
        job: Its id.
        bar: Which limit it has come to.
        episode: What else tells this hold from others of that limit that are worth a notice of their own.
        now: Unix seconds.
    """
    row = await returning(
        db,
        """SELECT name, queue, source, sandbox, held_from FROM jobs
           WHERE id = ? AND coalesce(hold, step_hold) IS NOT NULL""",
        job,
    )
    if row is None:
        return
    data = {"job": row["name"], "queue": row["queue"], "source": row["source"], "state": "held", "reason": bar}
    subject = f"job {job} {bar} {episode}".rstrip()
    notice = NewNotice(
        Kind.JOB_HELD, subject, now, data | {"sandbox": bool(row["sandbox"])}, job=job, queue=row["queue"], after=HOLD
    )
    await update(db, _NOTE_HELD, *_values(notice), row["held_from"])


async def note_held_batch(db: Transaction, batch: BatchId, code: str, now: float) -> None:
    """Note that a batch waits for a person: once for each folder whose jobs travel in it.

    Args:
        db: The connection that a step was given.
        batch: Its id.
        code: Why, in a word.
        now: Unix seconds.
    """
    found = await fetch(
        db,
        """SELECT queue, count(*) AS requests, count(DISTINCT job) AS jobs, min(job) AS job, min(jobs.name) AS name,
               max(sandbox) AS sandbox
           FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.batch = ? GROUP BY queue""",
        batch,
    )
    for row in found:
        alone = row["jobs"] == 1
        data = {
            "batch": batch,
            "state": "held",
            "reason": code,
            "queue": row["queue"],
            "requests": row["requests"],
            "jobs": row["jobs"],
            "job": row["name"] if alone else None,
            "sandbox": bool(row["sandbox"]),
        }
        subject, job = f"batch {batch} {now} {row['queue']}", JobId(row["job"]) if alone else None
        notice = NewNotice(Kind.BATCH_HELD, subject, now, data, job=job, queue=row["queue"], after=HOLD)
        await update(db, _NOTE_HELD, *_values(notice), batch)


async def note_rejection(db: Transaction, notice: NewNotice) -> None:
    """Note that a file was rejected; where many of a folder are, those beyond the first are told together.

    Args:
        db: The connection that a step was given.
        notice: Of the file.
    """
    sql = """SELECT count(*) FILTER (WHERE state <> 'summed' AND data ->> 'summary' IS NULL) AS alone,
                 max(state = 'new' AND data ->> 'summary' IS NOT NULL AND due_at > ?2) AS summed
             FROM notices WHERE kind = 'file.rejected' AND coalesce(queue, '') = coalesce(?1, '') AND at > ?2 - ?3"""
    row = await returning(db, sql, notice.queue, notice.at, FLOOD_TIME)
    if row is None or row["alone"] < FLOOD:
        if await note(db, notice):
            await count(db, "file", "rejected", notice.queue or "")
        return
    if await note(db, notice, "summed"):
        await count(db, "file", "rejected", notice.queue or "")
    if not row["summed"]:
        about = f"folder {notice.queue} {notice.at:.3f}"
        data = {"queue": notice.queue, "summary": True}
        summary = NewNotice(notice.kind, about, notice.at, data, queue=notice.queue, after=FLOOD_TIME)
        await note(db, summary)

"""What happens is noted in the commit in which it happens: the notice of it, told later."""

import json
from collections import Counter
from collections.abc import Sequence

import aiosqlite

from batchd.edges.store.sqlite.statements import many, update
from batchd.model import BatchId, JobId
from batchd.notice import Kind, NewNotice

HOLD = 60.0
"""Seconds for which a hold may dissolve by itself, untold."""
FLOOD = 20
"""Files of one folder that are told one by one within a time; the others in one notice."""
FLOOD_TIME = 600.0
"""That time, in seconds."""

_NOTE = """INSERT OR IGNORE INTO notices (at, due_at, kind, subject, job, queue, data, state)
    VALUES (?1, ?1 + ?2, ?3, ?4, ?5, ?6, ?7, ?8)"""


async def note(db: aiosqlite.Connection, notice: NewNotice, state: str = "new") -> bool:
    """Note something, and say whether it is news; what was noted before changes nothing.

    Args:
        db: The connection that a step was given.
        notice: What.
        state: Whether it is to be told by itself.
    """
    return await update(db, _NOTE, *_values(notice), state) > 0


def _values(notice: NewNotice) -> tuple[object, ...]:
    data = json.dumps(notice.data)
    return notice.at, notice.after, notice.kind, notice.subject, notice.job, notice.queue, data


async def note_ends(db: aiosqlite.Connection, notices: Sequence[NewNotice]) -> None:
    """Note that jobs have ended, and count them and their requests; what a job had before it ended anew counts once.

    Args:
        db: The connection that a step was given.
        notices: Of different jobs.
    """
    await many(db, _NOTE, [(*_values(each), "new") for each in notices])
    sql = "SELECT id, counted FROM jobs WHERE counted IS NOT NULL AND id IN (SELECT value FROM json_each(?))"
    rows = await db.execute_fetchall(sql, (json.dumps([each.job for each in notices]),))
    before = {row["id"]: json.loads(row["counted"]) for row in rows}
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
    ON CONFLICT DO UPDATE SET n = n + excluded.n"""


async def count(db: aiosqlite.Connection, name: str, label: str, queue: str, more: int = 1) -> None:
    """Count what has come to its end.

    Args:
        db: The connection that a step was given.
        name: What: job, request, file or defect.
        label: Its state or verdict.
        queue: Its folder.
        more: How many.
    """
    await update(db, _COUNT, name, label, queue, more)


async def note_hold(db: aiosqlite.Connection, job: JobId, bar: str, episode: str, now: float) -> None:
    """Note that a job waits for money, or for a person to say how its next step goes, if it still does.

    Args:
        db: The connection that a step was given.
        job: Its id.
        bar: Which limit it has come to.
        episode: What else tells this hold from others of that limit that are worth a notice of their own.
        now: Unix seconds.
    """
    await update(
        db,
        """INSERT OR IGNORE INTO notices (at, due_at, kind, subject, job, queue, about, data)
           SELECT ?1, ?1 + ?2, ?3, 'job ' || id || ?4, id, queue, held_from,
               json_object('job', name, 'queue', queue, 'source', source, 'state', 'held', 'reason', ?5,
                           'sandbox', json(iif(sandbox, 'true', 'false')))
           FROM jobs WHERE id = ?6 AND coalesce(hold, step_hold) IS NOT NULL""",
        *(now, HOLD, Kind.JOB_HELD, f" {bar} {episode}".rstrip(), bar, job),
    )


async def note_held_batch(db: aiosqlite.Connection, batch: BatchId, code: str, now: float) -> None:
    """Note that a batch waits for a person: once for each folder whose jobs travel in it.

    Args:
        db: The connection that a step was given.
        batch: Its id.
        code: Why, in a word.
        now: Unix seconds.
    """
    await update(
        db,
        """INSERT OR IGNORE INTO notices (at, due_at, kind, subject, job, queue, about, data)
           SELECT ?1, ?1 + ?2, ?3, 'batch ' || ?4 || ' ' || ?1 || ' ' || queue, iif(jobs = 1, job, NULL), queue, ?4,
               json_object('batch', ?4, 'state', 'held', 'reason', ?5, 'queue', queue, 'requests', requests,
                           'jobs', jobs, 'job', iif(jobs = 1, name, NULL),
                           'sandbox', json(iif(sandbox, 'true', 'false')))
           FROM (SELECT queue, count(*) AS requests, count(DISTINCT job) AS jobs, min(job) AS job,
                     min(jobs.name) AS name, max(sandbox) AS sandbox
                 FROM requests JOIN jobs ON jobs.id = requests.job WHERE requests.batch = ?4 GROUP BY queue)""",
        *(now, HOLD, Kind.BATCH_HELD, batch, code),
    )


async def note_rejection(db: aiosqlite.Connection, notice: NewNotice) -> None:
    """Note that a file was rejected; where many of a folder are, those beyond the first are told together.

    Args:
        db: The connection that a step was given.
        notice: Of the file.
    """
    sql = """SELECT count(*) FILTER (WHERE state <> 'summed' AND data ->> 'summary' IS NULL) AS alone,
                 max(state = 'new' AND data ->> 'summary' IS NOT NULL AND due_at > ?2) AS summed
             FROM notices WHERE kind = 'file.rejected' AND queue IS ?1 AND at > ?2 - ?3"""
    async with db.execute(sql, (notice.queue, notice.at, FLOOD_TIME)) as cursor:
        row = await cursor.fetchone()
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

"""Notices: addressed to sinks once they are due, and kept until each sink has them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from batchd.decisions.report import timestamp
from batchd.edges.store.database import Database
from batchd.edges.store.events import note, note_rejection
from batchd.edges.store.statements import Row, Transaction, many, returning, update
from batchd.model import JobId
from batchd.notice import Kind, NewNotice, Notice

KEPT = 30 * 86_400.0
"""Seconds for which a notice is kept."""
TOGETHER = 500
"""Notices that are addressed in one commit."""
_AGAIN = 5.0
"""Seconds after which a hold is looked at again that is just being tried anew."""
_WAITS = "done_at IS NULL AND failed IS NULL"

_DUE = """SELECT notices.*, jobs.notify,
        CASE kind
            WHEN 'job.held' THEN CASE
                WHEN jobs.delivered OR jobs.cancel_wanted THEN 'gone'
                WHEN coalesce(jobs.hold, jobs.step_hold) IS NOT NULL THEN 'stands'
                WHEN EXISTS (SELECT 1 FROM requests WHERE id = about AND batch IS NULL AND verdict IS NULL)
                    AND NOT jobs.released THEN 'open'
                ELSE 'gone' END
            WHEN 'batch.held' THEN
                CASE (SELECT batches.state FROM batches WHERE batches.id = about) WHEN 'held' THEN 'stands'
                ELSE 'gone' END
            ELSE 'stands' END AS standing,
        (SELECT json_group_array(j.notify) FROM jobs AS j WHERE j.notify IS NOT NULL AND kind = 'batch.held'
            AND j.queue = notices.queue AND j.id IN (SELECT job FROM requests WHERE requests.batch = about)) AS of_batch
    FROM notices LEFT JOIN jobs ON jobs.id = notices.job
    WHERE notices.state = 'new' AND due_at <= ? ORDER BY notices.id LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be said of new notices."""

    standing: tuple[Notice, ...]
    """They are told."""
    gone: tuple[int, ...] = ()
    """They have turned out to be nothing."""
    open: tuple[int, ...] = ()
    """It cannot be said yet."""

    def __bool__(self) -> bool:
        return bool(self.standing or self.gone or self.open)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that a sink is to get."""

    notice: Notice
    since: float
    """Unix seconds: since when it is."""
    attempts: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a notice stands with a sink."""

    notice: Notice
    sink: str | None
    """None where it went to none."""
    attempts: int = 0
    next_at: float | None = None
    """Unix seconds; None where nothing more is tried."""
    done_at: float | None = None
    failed: str | None = None
    """Why it was given up."""
    said: str | None = None
    """Why the last attempt was in vain."""


class Notices:
    """The notices of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, *notices: NewNotice) -> None:
        """Note what was found by looking; what was noted before changes nothing."""

        async def step(db: Transaction) -> None:
            for each in notices:
                await note(db, each)

        await self._database.write(step)

    async def note_rejection(self, notice: NewNotice) -> None:
        """Note that a file was rejected; where many of a folder are, most are told together."""

        async def step(db: Transaction) -> None:
            await note_rejection(db, notice)

        await self._database.write(step)

    async def dissolve(self, kind: Kind, subject: str) -> None:
        """Take a notice back that was not told yet: it has turned out to be nothing."""

        async def step(db: Transaction) -> None:
            await update(db, "DELETE FROM notices WHERE kind = ? AND subject = ? AND state = 'new'", kind, subject)

        await self._database.write(step)

    async def begin(self, notice: NewNotice, ends: Kind) -> None:
        """Note that something has begun, unless it has begun before and not ended.

        Args:
            notice: Its subject is what there is one of at a time.
            ends: The kind by which it ends.
        """

        async def step(db: Transaction) -> None:
            if await _open_episode(db, notice.kind, ends, notice.subject) is None:
                await note(db, replace(notice, subject=f"{notice.subject} {notice.at:.3f}"))

        await self._database.write(step)

    async def end(self, began: Kind, notice: NewNotice) -> None:
        """Note that something has ended, if it had begun; what was not told yet is not told at all.

        Args:
            began: The kind by which it began.
            notice: Of its end; of the same subject.
        """

        async def step(db: Transaction) -> None:
            episode = await _open_episode(db, began, notice.kind, notice.subject)
            if episode is None:
                return
            gone = await update(
                db, "DELETE FROM notices WHERE kind = ? AND subject = ? AND state = 'new' AND due_at > ?",
                began, episode, notice.at,
            )  # fmt: skip
            if not gone:
                await note(db, replace(notice, subject=episode))

        await self._database.write(step)

    async def parked(self) -> tuple[str, float] | None:
        """Say why nothing is sent for the account's sake, in a word, and since when; None while it is not so."""
        row = await self._database.row(
            """SELECT data ->> 'reason' AS reason, at FROM notices AS first WHERE kind = ?1 AND NOT EXISTS (
                   SELECT 1 FROM notices WHERE kind = ?2 AND subject = first.subject) ORDER BY id DESC LIMIT 1""",
            Kind.SENDING_PARKED,
            Kind.SENDING_RESUMED,
        )
        return None if row is None else (row["reason"], row["at"])

    async def stand(self, kind: Kind, notices: Sequence[NewNotice]) -> None:
        """Note what is so just now; what was so, is so no more and was not told yet is not told at all."""
        subjects = json.dumps([each.subject for each in notices])
        if not notices and not await self._database.row(
            "SELECT 1 FROM notices WHERE state = 'new' AND kind = ? LIMIT 1", kind
        ):
            return

        async def step(db: Transaction) -> None:
            await update(
                db,
                """DELETE FROM notices WHERE state = 'new' AND kind = ?
                   AND subject NOT IN (SELECT value FROM json_each(?))""",
                *(kind, subjects),
            )
            for each in notices:
                await note(db, each)

        await self._database.write(step)

    async def due(self, now: float) -> Due:
        """List the new notices whose time has come.

        Args:
            now: Unix seconds.
        """
        standing: list[Notice] = []
        others: dict[str, list[int]] = {"gone": [], "open": []}
        for row in await self._database.rows(_DUE, now, TOGETHER):
            if row["standing"] == "stands":
                standing.append(await self._summed(row) if row["kind"] == Kind.FILE_REJECTED else _notice(row))
            else:
                others[row["standing"]].append(row["id"])
        return Due(tuple(standing), tuple(others["gone"]), tuple(others["open"]))

    async def _summed(self, row: Row) -> Notice:
        """Count what a notice of many files stands for."""
        notice = _notice(row)
        if not notice.data.get("summary"):
            return notice
        found = await self._database.row(
            """SELECT count(*) AS files, total(CAST(data ->> 'errors' AS BIGINT)) AS errors FROM notices
               WHERE kind = 'file.rejected' AND state = 'summed' AND coalesce(queue, '') = coalesce(?, '')
                 AND at BETWEEN ? AND ?""",
            *(row["queue"], row["at"], row["due_at"]),
        )
        counted = {"files": found["files"], "errors": int(found["errors"])} if found else {}
        return _notice(row, counted)

    async def next_due(self) -> float | None:
        """Say when the next of the new notices is due, in unix seconds."""
        row = await self._database.row("SELECT min(due_at) AS at FROM notices WHERE state = 'new'")
        return None if row is None else row["at"]

    async def address(self, due: Due, sinks: Mapping[int, Sequence[str]], *, now: float, filed: bool) -> None:
        """Say to whom notices go; from then on they are told, whatever becomes of what they are about.

        Args:
            due: The notices.
            sinks: The names of those that get each, by its number.
            now: Unix seconds.
            filed: Whether they stand in `events.jsonl`.
        """

        async def step(db: Transaction) -> None:
            await many(
                db,
                "UPDATE notices SET state = 'told', filed = ?, data = ? WHERE id = ?",
                [(filed, json.dumps(each.data), each.id) for each in due.standing],
            )
            await many(
                db,
                # Unless it was taken back meanwhile.
                """INSERT INTO notice_deliveries (notice, sink, since, next_at)
                   SELECT id, ?1, ?2, ?2 FROM notices WHERE id = ?3 ON CONFLICT DO NOTHING""",
                [(sink, now, each.id) for each in due.standing for sink in sinks.get(each.id, ())],
            )
            await many(db, "DELETE FROM notices WHERE id = ? AND state = 'new'", [(each,) for each in due.gone])
            await many(db, "UPDATE notices SET due_at = ? WHERE id = ?", [(now + _AGAIN, each) for each in due.open])

        await self._database.write(step)

    async def hasten(self, now: float) -> None:
        """Make all new notices due: nobody will be here when their time has come."""

        async def step(db: Transaction) -> None:
            await update(db, "UPDATE notices SET due_at = ?1 WHERE state = 'new' AND due_at > ?1", now)

        await self._database.write(step)

    async def unfiled(self) -> list[Notice]:
        """List told notices that do not stand in `events.jsonl` yet."""
        rows = await self._database.rows(
            "SELECT * FROM notices WHERE state = 'told' AND NOT filed ORDER BY id LIMIT ?", TOGETHER
        )
        return [_notice(row) for row in rows]

    async def told_of(self, kind: Kind, what: str) -> frozenset[tuple[str, str]]:
        """List what there are notices of, told or not, each with its moment.

        Args:
            kind: Of the notices.
            what: What names it in their data.
        """
        rows = await self._database.rows("SELECT data ->> ? AS name, at FROM notices WHERE kind = ?", what, kind)
        return frozenset((row["name"], timestamp(row["at"])) for row in rows if row["name"] is not None)

    async def filed(self, notices: Iterable[int]) -> None:
        """Note that notices stand in `events.jsonl`."""
        numbers = [(number,) for number in notices]

        async def step(db: Transaction) -> None:
            await many(db, "UPDATE notices SET filed = TRUE WHERE id = ?", numbers)

        await self._database.write(step)

    async def waiting(self, sink: str, now: float, *, but: Collection[int] = (), most: int = 4) -> list[Waiting]:
        """List what a sink is to get now, oldest first.

        Args:
            sink: Its name.
            now: Unix seconds.
            but: Those that are under way.
            most: How many.
        """
        rows = await self._database.rows(
            f"""SELECT notices.*, since, attempts FROM notice_deliveries JOIN notices ON notices.id = notice
               WHERE sink = ? AND {_WAITS} AND next_at <= ?
                 AND notice NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(?))
               ORDER BY next_at, notice LIMIT ?""",  # noqa: S608  own text
            *(sink, now, json.dumps(list(but)), most),
        )
        return [Waiting(_notice(row), row["since"], row["attempts"]) for row in rows]

    async def next_at(self, sink: str, *, but: Collection[int] = ()) -> float | None:
        """Say when a sink is tried next, in unix seconds; None where it has everything.

        Args:
            sink: Its name.
            but: Those that are under way.
        """
        row = await self._database.row(
            f"""SELECT min(next_at) AS at FROM notice_deliveries WHERE sink = ? AND {_WAITS}
                AND notice NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(?))""",  # noqa: S608  own text
            *(sink, json.dumps(list(but))),
        )
        return None if row is None else row["at"]

    async def untried(self, sinks: Collection[str]) -> bool:
        """Whether any of some sinks is still to be offered something for the first time."""
        row = await self._database.row(
            f"""SELECT 1 FROM notice_deliveries WHERE {_WAITS} AND attempts = 0
                AND sink IN (SELECT value FROM json_each(?)) LIMIT 1""",  # noqa: S608  own text
            json.dumps(list(sinks)),
        )
        return row is not None

    async def done(self, notice: int, sink: str, now: float) -> None:
        """Note that a sink has a notice."""
        await self._mark("done_at = ?3, said = NULL", notice, sink, now)

    async def again(self, notice: int, sink: str, reason: str, next_at: float) -> None:
        """Note that an attempt was in vain, and when the next one is."""
        await self._mark("said = ?3, next_at = ?4", notice, sink, reason, next_at)

    async def failed(self, notice: int, sink: str, reason: str) -> None:
        """Note that a notice was given up."""
        await self._mark("said = ?3, failed = ?3", notice, sink, reason)

    async def _mark(self, changes: str, *values: object) -> None:
        async def step(db: Transaction) -> None:
            sql = f"""UPDATE notice_deliveries SET attempts = attempts + 1, {changes}
                WHERE notice = ?1 AND sink = ?2"""  # noqa: S608  own text
            await update(db, sql, *values)

        await self._database.write(step)

    async def forget(self, sinks: Collection[str], now: float) -> None:
        """Give up what goes to sinks that are no more, and remove what is old.

        Args:
            sinks: Those that there are.
            now: Unix seconds.
        """

        async def step(db: Transaction) -> None:
            await update(
                db,
                f"""UPDATE notice_deliveries SET failed = 'there is no such sink any more' WHERE {_WAITS}
                    AND sink NOT IN (SELECT value FROM json_each(?))""",  # noqa: S608  own text
                json.dumps(list(sinks)),
            )
            await update(db, "DELETE FROM notices WHERE at < ? AND state <> 'new'", now - KEPT)

        await self._database.write(step)

    async def latest(self, most: int) -> list[Delivery]:
        """List the last notices and how they stand with each sink, the newest first.

        Args:
            most: How many notices.
        """
        rows = await self._database.rows(
            f"""SELECT notices.*, sink, attempts, CASE WHEN {_WAITS} THEN next_at END AS next_at, done_at, failed, said
               FROM (SELECT * FROM notices WHERE state <> 'summed' ORDER BY id DESC LIMIT ?) AS notices
               LEFT JOIN notice_deliveries ON notice = notices.id ORDER BY notices.id DESC, sink""",  # noqa: S608  own text
            most,
        )
        columns = ("sink", "attempts", "next_at", "done_at", "failed", "said")
        return [Delivery(_notice(row), *(row[column] for column in columns)) for row in rows]

    async def stuck(self) -> list[tuple[str, int, float, str]]:
        """Tell of each sink that has not taken what it was offered: how much waits, since when, and why."""
        rows = await self._database.rows(
            f"""SELECT sink, count(*) AS n, min(since) AS since, (
                    SELECT said FROM notice_deliveries AS oldest WHERE oldest.sink = waiting.sink AND {_WAITS}
                    AND attempts > 0 ORDER BY since LIMIT 1) AS said
                FROM notice_deliveries AS waiting WHERE {_WAITS} AND attempts > 0 GROUP BY sink ORDER BY sink"""  # noqa: S608  own text
        )
        return [(row["sink"], row["n"], row["since"], row["said"] or "") for row in rows]


async def _open_episode(db: Transaction, began: Kind, ends: Kind, of: str) -> str | None:
    """Find the subject of what has begun and not ended."""
    sql = """SELECT subject FROM notices AS first WHERE kind = ?1 AND substr(subject, 1, length(?3) + 1) = ?3 || ' '
                 AND substr(subject, length(?3) + 2, 1) BETWEEN '0' AND '9'
             AND NOT EXISTS (SELECT 1 FROM notices WHERE kind = ?2 AND subject = first.subject)"""
    row = await returning(db, sql, began, ends, of)
    return None if row is None else str(row["subject"])


def _notice(row: Row, more: Mapping[str, int] | None = None) -> Notice:
    named: set[str] = set()
    columns = row.keys()
    if "notify" in columns:
        said = [row["notify"], *json.loads(row["of_batch"] or "[]")]
        named = {sink for each in said if each for sink in json.loads(each)}
    job = None if row["job"] is None else JobId(row["job"])
    data = {**json.loads(row["data"]), **(more or {})}
    return Notice(row["id"], Kind(row["kind"]), row["at"], data, job, row["queue"], frozenset(named))

"""Requests: every write of one. A step of a job, a batch or a delivery is made of these."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from batchd.claude.verdict import AGAIN
from batchd.delivery import Delivery
from batchd.edges.store.facts import FLOOR
from batchd.edges.store.statements import AMONG, Row, Transaction, at_once, fetch, many, update
from batchd.model import BatchId, JobId, RequestId, Verdict, Wishes
from batchd.text import typed

if TYPE_CHECKING:
    from batchd.decisions.document.contents import Contents

BEHIND = "first IS NOT NULL AND batch IS NULL AND verdict IS NULL AND round = 0"
"""Of requests that have not gone yet, and share their beginning with others."""
PRIMER = "primer"
"""The cohort of those that go first, and so wait for no company."""
FIRST = "SELECT coalesce(first_request, (SELECT min(id) FROM requests WHERE job = ?1)) FROM jobs WHERE id = ?1"
"""The id from which those of a job (`?1`) stand in the order of its file, as SQL."""
SLICE = 500
"""Requests that one commit takes at the most, where there may be a million: other commits wait for it."""
RETRIED = f"""verdict IN ({", ".join(f"'{verdict}'" for verdict in AGAIN)}) AND NOT EXISTS (
    SELECT 1 FROM trips WHERE request = requests.id AND outcome IN ('dropped', 'lost'))"""  # noqa: S608  our own enum
"""Which requests `batchd retry` takes up again, as SQL: never one that may have been charged, as what was given up."""


class NewRequest(NamedTuple):
    """A request of a job that is being accepted."""

    custom_id: str
    name: str
    model: str
    max_tokens: int
    betas: tuple[str, ...]
    offset: int
    size: int
    worst: int | None = 0
    budget: int | None = None
    rounds: int = 0
    wishes: Wishes = Wishes()
    first: int | None = None
    """The row of the file that goes before it, and leaves in the cache what both begin with; or its own."""
    version: str | None = None
    step: int | None = None
    """The number of the step that asks it; None where its job has none."""


_COLUMNS = {
    "id": "BIGINT",
    "job": "BIGINT",
    "since": "DOUBLE PRECISION",
    "cohort": "TEXT",
    "lane": "TEXT",
    "allowance": "BIGINT",
    "custom_id": "TEXT",
    "name": "TEXT",
    "model": "TEXT",
    "max_tokens": "BIGINT",
    "betas": "TEXT",
    "offset": "BIGINT",
    "size": "BIGINT",
    "worst": "BIGINT",
    "budget": "BIGINT",
    "rounds": "BIGINT",
    "wishes": "TEXT",
    "first": "BIGINT",
    "version": "TEXT",
    "step": "BIGINT",
}
"""Those of `Stored`, and then those of `NewRequest`, with their types."""
_INSERT = f"""INSERT INTO requests ({", ".join(f'"{name}"' for name in _COLUMNS)}) SELECT * FROM {{rows}} AS new"""  # noqa: S608  own names
_WISHES = typed.decoder(Wishes)


def wishes_of(row: Row) -> Wishes:
    """Read the column `wishes`."""
    return _WISHES.decode(row["wishes"])


class Stored(NamedTuple):
    """Some of the requests of a job, in the order of its file, as they are to be stored."""

    job: JobId
    base: int
    """The id of the job's first request."""
    row: int
    """The place in the file of the first of these, from 0."""
    now: float
    """Unix seconds, from which on they wait."""
    requests: Sequence[NewRequest]


async def insert_all(db: Transaction, portions: Iterable[Stored]) -> None:
    """Store requests.

    Args:
        db: The connection that a step was given.
        portions: So many that one commit takes them at once.
    """
    await at_once(db, _INSERT, _COLUMNS, [values for portion in portions for values in _values(portion)])


def _values(portion: Stored) -> Iterator[tuple[object, ...]]:
    for number, request in enumerate(portion.requests, portion.row):
        changed: dict[str, object] = {
            "betas": ",".join(request.betas),
            "wishes": msgspec.json.encode(request.wishes).decode(),
            "first": None if request.first is None else portion.base + request.first,
        }
        own = (changed.get(name, value) for name, value in zip(NewRequest._fields, request, strict=True))
        cohort = PRIMER if request.first == number else ""
        allowance = request.rounds * request.max_tokens
        yield (portion.base + number, portion.job, portion.now, cohort, request.wishes.lane, allowance, *own)


async def free_id(db: Transaction) -> int:
    """The least id that is free with all above it: also of requests that are to follow, or were in a lost life.

    Args:
        db: The connection that a step was given.
    """
    (row,) = await fetch(
        db,
        """SELECT (SELECT coalesce(max(id), 0) + 1 FROM requests) AS stored,
               (SELECT coalesce(max(first_request + total), 0) FROM jobs WHERE missing > 0) AS to_follow,
               (SELECT coalesce(max(CAST(value AS BIGINT)), 0) FROM facts WHERE name = ?) AS lost""",
        FLOOR,
    )
    return max(int(row[each]) for each in ("stored", "to_follow", "lost"))


async def board(db: Transaction, batch: BatchId, requests: Sequence[RequestId]) -> frozenset[RequestId]:
    """Let requests travel in a batch that still wait, and say which; each sending of a request has its own number.

    Args:
        db: The connection that a step was given.
        batch: A new one.
        requests: Its rows.
    """
    found = await fetch(
        db,
        f"""UPDATE requests SET batch = ?, sendings = sendings + 1
           WHERE {AMONG.format("id")} AND batch IS NULL AND verdict IS NULL RETURNING id""",  # noqa: S608  own text
        batch,
        json.dumps(requests),
    )
    return frozenset(RequestId(row["id"]) for row in found)


async def free(db: Transaction, batch: BatchId, requests: Sequence[RequestId], *, now: float | None = None) -> None:
    """Let requests that travel in a batch wait again.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        requests: Which.
        now: Unix seconds, from which on they wait; None for as long as they have.
    """
    await update(
        db,
        f"""UPDATE requests SET batch = NULL, since = coalesce(?, since)
            WHERE batch = ? AND {AMONG.format("id")}""",  # noqa: S608  own text
        now,
        batch,
        json.dumps(requests),
    )


async def set_apart(db: Transaction, batch: BatchId, cohort: str, rows: range) -> None:
    """Let some of a batch travel apart from all others, once they wait again.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        cohort: What they are together.
        rows: Their rows.
    """
    await update(
        db,
        """UPDATE requests SET cohort = ? WHERE id IN (
               SELECT request FROM trips WHERE batch = ? AND row >= ? AND row < ?)""",
        cohort,
        batch,
        rows.start,
        rows.stop,
    )


async def give_verdict(
    db: Transaction, batch: BatchId, requests: Sequence[RequestId], verdict: Verdict, reason: str
) -> None:
    """Give a verdict to requests that still travel in a batch.

    Args:
        db: The connection that a step was given.
        batch: Theirs.
        requests: Which.
        verdict: All of theirs.
        reason: What their reports say.
    """
    await update(
        db,
        f"""UPDATE requests SET batch = NULL, verdict = ?, reason = ?
            WHERE batch = ? AND {AMONG.format("id")}""",  # noqa: S608  own text
        verdict,
        reason,
        batch,
        json.dumps(requests),
    )


async def cancel_waiting(db: Transaction) -> int:
    """Give waiting requests of cancelled jobs their verdict, and say how many there were: 0 once none is left.

    Args:
        db: The connection that a step was given.
    """
    return await update(
        db,
        """UPDATE requests SET verdict = 'canceled', reason =
               'cancelled before ' || CASE WHEN round > 0 THEN 'its next round' ELSE 'it' END || ' was sent'
           WHERE id IN (SELECT requests.id FROM jobs JOIN requests ON requests.job = jobs.id
                        WHERE cancel_wanted AND NOT delivered AND batch IS NULL AND verdict IS NULL LIMIT ?)""",
        SLICE,
    )


async def take_up_again(db: Transaction, job: JobId, *, now: float) -> int:
    """Let some requests that are wanted again wait again, their attempts counted anew; return how many: 0 at the end.

    Args:
        db: The connection that a step was given.
        job: Theirs, finished.
        now: Unix seconds, from which on they wait.
    """
    found = await fetch(db, "SELECT id FROM requests WHERE job = ? AND again IS NOT NULL LIMIT ?", job, SLICE)
    some = json.dumps([row["id"] for row in found])
    await update(
        db,
        f"""UPDATE requests SET round = 0, sent_offset = NULL, sent_size = NULL, counts_from = sendings + 1,
               max_tokens = coalesce(CAST(asked ->> 0 AS BIGINT), max_tokens), betas = coalesce(asked ->> 1, betas),
               rounds = coalesce(CAST(asked ->> 2 AS BIGINT), rounds + round),
               worst = coalesce(CAST(asked ->> 4 AS BIGINT), worst),
               allowance = coalesce(CAST(asked ->> 3 AS BIGINT), (rounds + round) * max_tokens)
           WHERE {AMONG.format("id")} AND again = 'anew'""",  # noqa: S608  our own text
        some,
    )
    await update(
        db,
        f"""UPDATE requests SET verdict = NULL, reason = NULL, stop_reason = NULL, document = NULL,
                sections = NULL, filed = NULL, promised = FALSE, since = ?, again = NULL,
                cohort = CASE WHEN first = id THEN '{PRIMER}' ELSE '' END, forgiven = (
                    SELECT count(*) FROM trips WHERE request = requests.id AND outcome <> 'succeeded')
            WHERE {AMONG.format("id")} AND again IS NOT NULL""",  # noqa: S608  our own text
        now,
        some,
    )
    return len(found)


async def deliver(db: Transaction, batch: BatchId, deliveries: Sequence[Delivery], *, now: float) -> None:
    """Note what results have made of requests: a verdict, or a further round, or another try.

    Args:
        db: The connection that a step was given.
        batch: That they came back from; one that came back before is passed over.
        deliveries: What became of them.
        now: Unix seconds, from which on a request that travels again waits.
    """
    await at_once(
        db,
        """UPDATE requests SET batch = NULL, verdict = new.verdict, reason = new.reason,
               stop_reason = new.stop_reason, document = new.document, sections = new.sections, filed = new.filed,
               since = new.since
           FROM {rows} AS new WHERE requests.id = new.request AND requests.batch = new.batch""",
        {
            "request": "BIGINT",
            "batch": "BIGINT",
            "verdict": "TEXT",
            "reason": "TEXT",
            "stop_reason": "TEXT",
            "since": "DOUBLE PRECISION",
            "document": "TEXT",
            "sections": "TEXT",
            "filed": "TEXT",
        },
        [
            (d.request, batch, d.verdict, d.reason or None, d.stop_reason, now + d.rest, *_files_of(d))
            for d in deliveries
        ],
    )
    if any(d.following is not None for d in deliveries):
        await _follow(db, deliveries)


async def _follow(db: Transaction, deliveries: Iterable[Delivery]) -> None:
    await many(
        db,
        """UPDATE requests SET asked = coalesce(asked, json_array(max_tokens, betas, rounds, allowance, worst)),
               sent_offset = :offset, sent_size = :size, max_tokens = :max_tokens, betas = :betas,
               rounds = :rounds, allowance = :allowance, worst = :worst, promised = TRUE, round = round + 1,
               forgiven = (
                   SELECT count(*) FROM trips WHERE request = requests.id AND outcome <> 'succeeded'
               ) WHERE id = :request AND round = :round""",
        (
            {
                "offset": n.offset,
                "size": n.size,
                "max_tokens": n.max_tokens,
                "betas": ",".join(n.betas),
                "rounds": n.rounds,
                "allowance": n.allowance,
                "worst": n.worst,
                "request": d.request,
                "round": d.round,
            }
            for d in deliveries
            if (n := d.following) is not None
        ),
    )


async def attach(db: Transaction, contents: "Mapping[RequestId, Contents]") -> None:
    """Note which files hold the documents of some requests.

    Args:
        db: The connection that a step was given.
        contents: By request; all of it durable.
    """
    await many(
        db,
        "UPDATE requests SET document = ?, sections = ?, filed = ? WHERE id = ?",
        ((*_files_of(each), request) for request, each in contents.items()),
    )


def _files_of(of: "Delivery | Contents") -> tuple[str | None, str | None, str | None]:
    """Its document, sections and files, as they are stored."""
    return (
        of.document,
        json.dumps(of.sections) if of.sections else None,
        None if of.filed is None else json.dumps([of.filed.written, of.filed.refused]),
    )

"""Recovered: what the API has of requests that a restored state does not know to have been sent."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import islice

from batchd.edges.store import boarding
from batchd.edges.store.database import Database
from batchd.edges.store.requests import SLICE
from batchd.edges.store.statements import Row, Transaction, many, update
from batchd.lifecycle import State
from batchd.model import Evidence, JobId, Lane, RemoteBatch, RemoteId, RequestId, Sending

_NEXT = """SELECT min(later.sending) FROM recovered AS later WHERE later.request = requests.id AND later.sending >
    (SELECT coalesce(max(sending), 0) FROM trips WHERE trips.request = requests.id)"""
"""The first sending of a request that this life knows nothing of; one that was planned and taken back was none."""
_TO_ADOPT = f"""SELECT recovered.*, coalesce(sent_size, size) AS size FROM recovered
    JOIN requests ON requests.id = recovered.request AND recovered.sending = ({_NEXT})
    WHERE batch IS NULL AND verdict IS NULL AND lane = 'batch' ORDER BY account, remote_id, requests.id"""  # noqa: S608  own text

_KEEP = """INSERT INTO recovered (request, sending, remote_id, created_at, ended_at, results_url, account)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""


class Recovered:
    """Sendings of a lost life, each with the batch of the API that answers it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unknown(self, remotes: Collection[RemoteId], account: str) -> frozenset[RemoteId]:
        """Leave out the batches of the API that are ours already, or were looked through, by one account."""
        if not remotes:
            return frozenset()
        holes = ", ".join("?" * len(remotes))
        rows = await self._database.rows(
            f"""SELECT remote_id FROM batches WHERE remote_id IN ({holes}) AND account = ?
                UNION SELECT remote_id FROM looked_through
                WHERE remote_id IN ({holes}) AND account = ?""",  # noqa: S608  question marks
            *(*remotes, account),
            *(*remotes, account),
        )
        return frozenset(remotes) - {RemoteId(row["remote_id"]) for row in rows}

    async def last_moment(self) -> float:
        """The latest moment that the state knows of, in unix seconds; 0 where it knows of none."""
        row = await self._database.row(
            """SELECT max(coalesce((SELECT max(max(planned_at, coalesce(submitted_at, 0))) FROM batches), 0),
                          coalesce((SELECT max(received_at) FROM jobs), 0)) AS moment"""
        )
        return 0.0 if row is None else float(row["moment"])

    async def keep(self, remote: RemoteBatch, sendings: Iterable[Sending], account: str) -> None:
        """Note what a batch of the API, which an account has, answers; what a crash cuts short is noted anew."""
        of = (remote.id, remote.created_at, remote.ended_at, remote.results_url, account)
        rows = iter([(sending.request, sending.number, *of) for sending in sendings])
        while some := list(islice(rows, SLICE)):
            await self._database.write(partial(many, sql=_KEEP, rows=some))
        await self._database.write(
            lambda db: update(
                db,
                "INSERT INTO looked_through (account, remote_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
                account,
                remote.id,
            )
        )

    async def adopt(self, nonce: Callable[[], str]) -> int:
        """Put waiting requests whose next sending was paid already on that trip; say how many batches that makes.

        Args:
            nonce: Makes a new one.
        """
        rows = await self._database.rows(_TO_ADOPT)
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            found[row["account"], row["remote_id"]].append(row)

        for (account, remote), answered in found.items():
            await _adopt(self._database, account, remote, answered, nonce())
        return len(found)

    async def could_adopt(self) -> bool:
        """Whether any waiting request was paid already on its next trip."""
        return await self._database.row(f"{_TO_ADOPT} LIMIT 1") is not None

    async def sent_by_sync_lane(self) -> list[tuple[RequestId, int]]:
        """List the waiting requests of the sync lane, with their sizes: no list of the API shows what was sent."""
        rows = await self._database.rows(
            """SELECT id, coalesce(sent_size, size) AS size FROM requests
               WHERE lane = 'sync' AND batch IS NULL AND verdict IS NULL"""
        )
        return [(RequestId(row["id"]), int(row["size"])) for row in rows]

    async def hold_steps(self, reason: str) -> int:
        """Let jobs wait for a person whose later steps may have been sent: the API has answered what nobody here asked.

        Returns:
            How many.
        """

        async def step(db: Transaction) -> int:
            return await update(
                db,
                """UPDATE jobs SET step_hold = ?, step_bar = 'restored'
                   WHERE steps_left > 0 AND step_hold IS NULL AND NOT cancel_wanted AND NOT delivered AND (
                       EXISTS (SELECT 1 FROM recovered WHERE request NOT IN (SELECT id FROM requests))
                       OR EXISTS (SELECT 1 FROM requests WHERE job = jobs.id AND lane = 'sync'))""",
                reason,
            )

        return await self._database.write(step)

    async def unanswered(self, job: JobId) -> dict[str, RequestId]:
        """Name the requests of a job that wait, and of which the API has no answer, by their custom_ids."""
        rows = await self._database.rows(
            f"""SELECT id, custom_id FROM requests WHERE job = ? AND batch IS NULL AND verdict IS NULL AND NOT EXISTS (
                   SELECT 1 FROM recovered WHERE request = requests.id AND sending = ({_NEXT}))""",  # noqa: S608  own text
            job,
        )
        return {row["custom_id"]: RequestId(row["id"]) for row in rows}

    async def settle_as_reported(self, found: Collection[tuple[RequestId, str, str, str | None]]) -> None:
        """Give requests the verdicts that the outbox tells, with reason and document."""

        async def step(db: Transaction) -> None:
            await many(
                db,
                """UPDATE requests SET verdict = ?, reason = ?, document = ?
                   WHERE id = ? AND batch IS NULL AND verdict IS NULL""",
                ((verdict, reason, document, request) for request, verdict, reason, document in found),
            )

        await self._database.write(step)

    async def finished(self, job: JobId, *, finished_at: float, results_length: int) -> None:
        """Take a job for delivered as it lies in the outbox."""

        async def step(db: Transaction) -> None:
            await update(
                db,
                "UPDATE jobs SET finished_at = ?, results_length = ?, delivered = TRUE WHERE id = ?",
                finished_at,
                results_length,
                job,
            )

        await self._database.write(step)


async def _adopt(database: Database, account: str, remote: str, answered: list[Row], nonce: str) -> None:
    first = answered[0]
    before = await database.row(
        "SELECT count(*) AS n FROM batches WHERE remote_id = ? AND account = ?", remote, account
    )
    begun = partial(
        boarding.begin,
        lane=Lane.BATCH,
        betas="",
        count=len(answered),
        size=sum(row["size"] for row in answered),
        nonce=nonce,
        planned_at=first["created_at"],
        account=account,
    )
    becomes = {
        "state": State.ENDED,
        "remote_id": remote,
        "evidence": Evidence.NONCE,
        "submitted_at": first["created_at"],
        "ended_at": first["ended_at"],
        "results_url": first["results_url"],
        "recovered": 0 if before is None else before["n"],
    }
    numbers = {RequestId(row["request"]): int(row["sending"]) for row in answered}
    await boarding.fill(database, await database.write(begun), [*numbers], becomes, numbers)

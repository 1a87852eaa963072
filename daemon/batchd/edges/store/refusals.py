"""Batches that the API has refused: kept until it is known whether that was about their requests."""

from typing import Final

from batchd.decisions.batch.refusal import Refusal
from batchd.edges.store.database import Database
from batchd.edges.store.statements import Row, Transaction, update
from batchd.model import Batch, BatchId

_LIKE: Final = "betas = ? AND EXISTS (SELECT 1 FROM batches WHERE id = refusals.batch AND account = ?)"


class Refusals:
    """The refusals of the store; of what was said there is only a digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def like(self, batch: Batch) -> list[Refusal]:
        """List the refusals of batches of its account, with its betas."""
        return await self._database.values(
            _refusal,
            f"SELECT * FROM refusals WHERE {_LIKE}",  # noqa: S608  a constant
            ",".join(batch.betas),
            batch.account,
        )

    async def note(self, batch: Batch, digest: str) -> Refusal:
        """Note that a batch was refused; once more where it had been before.

        Args:
            batch: It, while its requests still travel in it.
            digest: Of what the API said.
        """

        async def step(db: Transaction) -> None:
            await update(
                db,
                """INSERT INTO refusals (batch, parent, betas, digest)
                   SELECT ?1, (
                       SELECT CAST(substr(cohort, 7) AS INTEGER) FROM requests
                       WHERE batch = ?1 AND cohort LIKE 'batch %' LIMIT 1
                   ), ?2, ?3 ON CONFLICT (batch) DO UPDATE SET digest = excluded.digest""",
                batch.id,
                ",".join(batch.betas),
                digest,
            )

        await self._database.write(step)
        row = await self._database.row("SELECT * FROM refusals WHERE batch = ?", batch.id)
        if row is None:
            raise LookupError(f"no refusal of batch {batch.id}")
        return _refusal(row)

    async def refute(self, batch: Batch) -> None:
        """Note that a batch was taken, so that no refusal before it, of one like it, was about everybody."""
        where, of = f"{_LIKE} AND NOT refuted", (",".join(batch.betas), batch.account)
        if await self._database.row(f"SELECT 1 FROM refusals WHERE {where} LIMIT 1", *of) is None:  # noqa: S608  a constant
            return

        async def step(db: Transaction) -> None:
            await update(db, f"UPDATE refusals SET refuted = TRUE WHERE {where}", *of)  # noqa: S608  a constant

        await self._database.write(step)


def _refusal(row: Row) -> Refusal:
    parent = None if row["parent"] is None else BatchId(row["parent"])
    return Refusal(BatchId(row["batch"]), parent, row["digest"], bool(row["refuted"]))

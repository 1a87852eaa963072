"""Batches that the API has refused: kept until it is known whether that was about their requests."""

from batchd.decisions.batch.refusal import Refusal
from batchd.edges.store.database import Database
from batchd.edges.store.statements import Row, Transaction, update
from batchd.model import Batch, BatchId


class Refusals:
    """The refusals of the store; of what was said there is only a digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def like(self, betas: tuple[str, ...]) -> list[Refusal]:
        """List the refusals of batches with these betas."""
        return await self._database.values(_refusal, "SELECT * FROM refusals WHERE betas = ?", ",".join(betas))

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

    async def refute(self, betas: tuple[str, ...]) -> None:
        """Note that a batch with these betas was taken, so that no refusal before it was about everybody."""
        where = "betas = ? AND NOT refuted"
        if await self._database.row(f"SELECT 1 FROM refusals WHERE {where} LIMIT 1", ",".join(betas)) is None:  # noqa: S608  a constant
            return

        async def step(db: Transaction) -> None:
            await update(db, f"UPDATE refusals SET refuted = 1 WHERE {where}", ",".join(betas))  # noqa: S608  a constant

        await self._database.write(step)


def _refusal(row: Row) -> Refusal:
    parent = None if row["parent"] is None else BatchId(row["parent"])
    return Refusal(BatchId(row["batch"]), parent, row["digest"], bool(row["refuted"]))

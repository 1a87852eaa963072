"""What is known of the batches of the API: which of them is a batch of ours, and which is not."""

import json
from collections.abc import Iterable

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Transaction, update
from batchd.model import BatchId, Evidence, RemoteId


class Remotes:
    """The batches of the API, as far as the store knows them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, account: str) -> RemoteId | None:
        """Name the last batch of the API that an account has under way, and surely is ours; None where none is."""
        row = await self._database.row(
            """SELECT remote_id FROM batches WHERE lane = 'batch' AND remote_id IS NOT NULL AND account = ?
               AND state NOT IN ('settled', 'dissolved') AND evidence IN ('answer', 'nonce')
               ORDER BY id DESC LIMIT 1""",
            account,
        )
        return None if row is None else RemoteId(row["remote_id"])

    async def owners_of(
        self, remotes: Iterable[RemoteId], *, account: str, origin: str | None
    ) -> dict[RemoteId, Evidence]:
        """Say which of these batches of the API some batch of ours owns, and what makes it believe so.

        Args:
            remotes: Their ids; any number.
            account: By whose key they were listed.
            origin: Of whom; other accounts may be of the same workspace there. Another server's ids are its own.
        """
        rows = await self._database.rows(
            # What is settled is given back by nobody, whatever it was believed for.
            """SELECT remote_id, CASE WHEN state = 'settled' THEN 'nonce' ELSE evidence END AS evidence FROM batches
               WHERE lane = 'batch' AND remote_id IN (SELECT value FROM json_each(?))
                 AND (account = ? OR origin = ?)""",
            json.dumps(list(remotes)),
            account,
            origin,
        )
        return {RemoteId(row["remote_id"]): Evidence(row["evidence"]) for row in rows}

    async def owner(self, remote: RemoteId, *, account: str, origin: str | None) -> BatchId | None:
        """Say which batch of ours a batch of the API already is; the rest as in `owners_of`."""
        row = await self._database.row(
            "SELECT id FROM batches WHERE lane = 'batch' AND remote_id = ? AND (account = ? OR origin = ?)",
            remote,
            account,
            origin,
        )
        return None if row is None else BatchId(row["id"])

    async def disproved(self, batch: BatchId) -> frozenset[RemoteId]:
        """List the batches of the API that are known not to be this one."""
        rows = await self._database.rows("SELECT remote_id FROM disproved WHERE batch = ?", batch)
        return frozenset(RemoteId(row["remote_id"]) for row in rows)

    async def disprove(self, batch: BatchId, remote: RemoteId) -> None:
        """Note that a batch of the API is another's.

        Args:
            batch: The batch it was taken for.
            remote: The API's id.
        """

        async def step(db: Transaction) -> None:
            await disprove(db, batch, remote)

        await self._database.write(step)


async def disprove(db: Transaction, batch: BatchId, remote: RemoteId) -> None:
    """Note within a step that a batch of the API is another's than the one it was taken for."""
    await update(db, "INSERT INTO disproved (batch, remote_id) VALUES (?, ?) ON CONFLICT DO NOTHING", batch, remote)

"""Agreed settings: what all daemons of a database on a server must have the same."""

from collections.abc import Mapping

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Transaction, many, update


class Agreements:
    """The agreed settings of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, str]:
        """Each setting by its name, as it may be shown."""
        found = await self._database.rows("SELECT name, value FROM agreed_settings ORDER BY name")
        return {row["name"]: row["value"] for row in found}

    async def settle(self, agreed: Mapping[str, str]) -> None:
        """Let these hold, instead of those before."""
        if await self.all() == agreed:
            return

        async def step(db: Transaction) -> None:
            await update(db, "DELETE FROM agreed_settings")
            await many(db, "INSERT INTO agreed_settings (name, value) VALUES (?, ?)", list(agreed.items()))

        await self._database.write(step)

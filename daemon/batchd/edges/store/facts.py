"""Facts: what is true of the installation as a whole."""

import aiosqlite

from batchd.edges.store.database import Database, update


class Facts:
    """The facts of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim_for(self, api: str) -> bool:
        """Bind what is under way to an API, so that nothing is sent to, or asked of, another one.

        Args:
            api: A name of it.

        Returns:
            False, with nothing changed, where something is under way at another.
        """
        bound = await self._database.row("SELECT value FROM facts WHERE name = 'api'")
        if bound is not None and bound["value"] == api:
            return True
        under_way = await self._database.row(
            """SELECT EXISTS (SELECT 1 FROM requests WHERE verdict IS NULL)
                   OR EXISTS (SELECT 1 FROM batches WHERE state NOT IN ('settled', 'dissolved')) AS any"""
        )
        if bound is not None and under_way is not None and under_way["any"]:
            return False

        async def step(db: aiosqlite.Connection) -> None:
            await update(db, "INSERT OR REPLACE INTO facts (name, value) VALUES ('api', ?)", api)

        await self._database.write(step)
        return True

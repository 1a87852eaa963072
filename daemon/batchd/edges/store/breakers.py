"""Breakers: what keeps batches from being sent, as the workers of one database tell each other."""

from collections.abc import Callable
from typing import TypeVar

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Transaction, fetch, update

T = TypeVar("T")


class Breakers:
    """The breakers that are tripped, each under a name, as text that the store does not read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, str]:
        """What is told of each, by its name."""
        return {row["name"]: row["state"] for row in await self._database.rows("SELECT name, state FROM breakers")}

    async def change(self, name: str, change: Callable[[str | None], tuple[str | None, T]]) -> T:
        """Change one while nobody else does.

        Args:
            name: Which.
            change: Is given what is told of it, None for nothing, and returns what is from now on; it may run again.
        """

        async def step(db: Transaction) -> T:
            rows = await fetch(db, "SELECT state FROM breakers WHERE name = ?", name)
            state, done = change(rows[0]["state"] if rows else None)
            if state is None:
                await update(db, "DELETE FROM breakers WHERE name = ?", name)
            else:
                await update(
                    db,
                    """INSERT INTO breakers (name, state) VALUES (?, ?)
                       ON CONFLICT (name) DO UPDATE SET state = excluded.state""",
                    *(name, state),
                )
            return done

        return await self._database.write(step)

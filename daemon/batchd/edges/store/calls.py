"""Calls: the quota of a minute, out of which all workers of one database take what they need, some at a time."""

from collections.abc import Mapping
from typing import Final

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Transaction, fetch, update

MINUTE: Final = 60.0
_SOON: Final = 1.0
"""Seconds after which to ask again, where all that was taken is still under way."""


class Calls:
    """The calls that were taken. All times are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(  # noqa: PLR0913  whose, how many, and what is over by then
        self, account: str, token: str, most: int, *, per_minute: int, over: Mapping[int, float], now: float
    ) -> tuple[int, int, float]:
        """Take calls of the API from the minute's quota of an account.

        Args:
            account: By whose key they are made.
            token: Of the worker that makes them.
            most: How many are wanted.
            per_minute: How many all workers may make in a minute.
            over: Takings whose calls are all made, each with the time of the last.
            now: Unix seconds.

        Returns:
            The number of the taking, how many calls it has, and, where it has none, when there may be some.
        """

        async def step(db: Transaction) -> tuple[int, int, float]:
            for taking, at in over.items():
                await update(db, "UPDATE calls SET over_at = ? WHERE id = ?", at + MINUTE, taking)
            await update(db, "DELETE FROM calls WHERE over_at <= ?", now)
            (row,) = await fetch(
                db,
                "SELECT coalesce(sum(count), 0) AS taken, min(over_at) AS soonest FROM calls WHERE account = ?",
                account,
            )
            count = min(most, per_minute - int(row["taken"]))
            if count <= 0:
                return 0, 0, row["soonest"] or now + _SOON
            (made,) = await fetch(
                db,
                "INSERT INTO calls (account, token, count) VALUES (?, ?, ?) RETURNING id",
                *(account, token, count),
            )
            return int(made["id"]), count, now

        return await self._database.write(step)

    async def settle(self, over: Mapping[int, float]) -> None:
        """Note takings whose calls are all made, each with the time of the last."""

        async def step(db: Transaction) -> None:
            for taking, at in over.items():
                await update(db, "UPDATE calls SET over_at = ? WHERE id = ?", at + MINUTE, taking)

        await self._database.write(step)

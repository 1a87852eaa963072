"""Facts: what is true of the installation as a whole."""

from batchd.edges.store.database import Database
from batchd.edges.store.statements import Transaction, update

INTENTS = "intents"
"""How many creates, and messages of the sync lane, were begun."""
EPOCH = "epoch"
"""How often the state was restored."""
RESTORED = "restored"
"""Whether the state was filled from a backup, and not started since."""
SETTINGS = "settings"
"""What is wrong with settings that were read anew, while the old ones hold."""
RESTORING = "restoring"
"""Whether what was paid in a lost life is still being looked for."""
FLOOR = "floor"
"""The least id of a new request."""
FLOOR_BITS = 40
"""No life of a state has more requests than this."""
SANDBOX = "sandbox"
"""The name of the API that a rehearsal goes to."""


async def count_intent(db: Transaction) -> None:
    """Count a create that is about to begin, in the commit of its intent.

    Args:
        db: The connection that a step was given.
    """
    await update(
        db,
        """INSERT INTO facts (name, value) VALUES (?, '1')
           ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(facts.value AS BIGINT) + 1 AS TEXT)""",
        INTENTS,
    )


async def set_fact(db: Transaction, name: str, value: str) -> None:
    """Say what is true of the installation, instead of what was said before."""
    await update(
        db,
        "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
    )


class Facts:
    """The facts of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def number(self, name: str) -> int:
        """Read a fact that is a number; 0 where it is none yet."""
        row = await self._database.row("SELECT value FROM facts WHERE name = ?", name)
        return 0 if row is None else int(row["value"])

    async def note_settings(self, wrong: str | None) -> None:
        """Note what is wrong with the settings that were read anew; None for nothing."""

        async def step(db: Transaction) -> None:
            if wrong is None:
                await update(db, "DELETE FROM facts WHERE name = ?", SETTINGS)
            else:
                await set_fact(db, SETTINGS, wrong)

        if wrong is not None or await self.wrong_settings() is not None:
            await self._database.write(step)

    async def wrong_settings(self) -> str | None:
        """What is wrong with the settings that were read anew; None where nothing is."""
        row = await self._database.row("SELECT value FROM facts WHERE name = ?", SETTINGS)
        return None if row is None else str(row["value"])

    async def note_restored(self) -> None:
        """Note that the state was filled from a backup: it may only start as a restored one."""
        await self._database.write(lambda db: set_fact(db, RESTORED, "1"))

    async def begin_restoring(self, *, epoch: int, intents: int) -> None:
        """Begin another life of a restored state: its requests and notices get ids that no lost ones have had.

        Who is told keeps the ids of notices that were there, and passes over a new one of the same id.

        Args:
            epoch: Higher than that of any life before.
            intents: Creates that were begun in all lives, as far as it is known.
        """

        async def step(db: Transaction) -> None:
            for name, value in ((EPOCH, epoch), (INTENTS, intents), (FLOOR, epoch << FLOOR_BITS), (RESTORING, 1)):
                await set_fact(db, name, str(value))
            await update(db, "DELETE FROM facts WHERE name = ?", RESTORED)

        await self._database.number_from("notices", epoch << FLOOR_BITS)
        await self._database.write(step)

    async def end_restoring(self) -> None:
        """Note that all that was paid in the lost life is known."""

        async def step(db: Transaction) -> None:
            await update(db, "DELETE FROM facts WHERE name = ?", RESTORING)

        await self._database.write(step)

    async def prove(self) -> None:
        """Make a commit that changes nothing: it shows that the database takes one.

        Raises:
            Unavailable: It does not.
        """

        async def step(db: Transaction) -> None:
            await update(db, "UPDATE facts SET value = value WHERE name = 'installation'")

        await self._database.write(step)

    async def of_sandbox(self) -> bool:
        """Whether it was the sandbox that the daemon worked with last."""
        row = await self._database.row("SELECT 1 FROM facts WHERE name = 'api' AND value = ?", SANDBOX)
        return row is not None

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
                   OR EXISTS (SELECT 1 FROM jobs WHERE missing > 0 OR retry_wanted)
                   OR EXISTS (SELECT 1 FROM batches WHERE state NOT IN ('settled', 'dissolved')) AS any"""
        )
        if bound is not None and under_way is not None and under_way["any"]:
            return False

        async def step(db: Transaction) -> None:
            await set_fact(db, "api", api)

        await self._database.write(step)
        return True

"""Settings that are read anew while the daemon runs: whole, or not at all."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import structlog
from anyio import to_thread
from msgspec.structs import asdict, replace

from batchd.edges.store import Store
from batchd.errors import Unusable
from batchd.running.accounts import Accounts
from batchd.settings import Settings

log = structlog.get_logger()

FIXED: Final = ("inbox", "outbox", "state", "store", "api.base_url", "api.timeout", "api.key_file")
"""What a running daemon keeps as it was at its start."""


class Reloading:
    """The settings that hold, and how others come to hold instead."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        store: Store,
        accounts: Accounts,
        agree: Callable[[Settings], Awaitable[None]],
    ) -> None:
        """Take them over.

        Args:
            settings: Those of the start.
            load: Reads them anew, all of them; it blocks.
            store: Where it is told that they are wrong.
            accounts: Whose keys are looked for as well.
            agree: Is told of those that hold, for all who work on the same database.
        """
        self.settings = settings
        self._load = load
        self._store = store
        self._accounts = accounts
        self._agree = agree

    async def begin(self) -> None:
        """Note that the settings are right, as they are at a start."""
        await self._store.facts.note_settings(None)

    async def read(self) -> bool:
        """Read settings and keys anew, and say whether others hold from now on; wrong ones leave the old."""
        await self._accounts.renew_all()
        try:
            new = await to_thread.run_sync(self._load)
        except Unusable as error:
            said = "; ".join(str(error).splitlines())
            log.error("settings are wrong, and the old ones hold", reason=said)  # noqa: TRY400  it is nobody's defect
            await self._store.facts.note_settings(said)
            return False
        await self._store.facts.note_settings(None)
        changed = list(_differences(self.settings, new))
        kept = [name for name in changed if name in FIXED]
        log.info("settings read", now=[name for name in changed if name not in FIXED], at_a_restart=kept)
        self.settings = _with_fixed(new, self.settings)
        await self._agree(self.settings)
        return any(name not in FIXED for name in changed)


def _differences(old: Settings, new: Settings) -> Iterator[str]:
    for table, before in asdict(old).items():
        after = getattr(new, table)
        if before == after:
            continue
        names = getattr(before, "__struct_fields__", ())
        if not names:
            yield table
        yield from (f"{table}.{name}" for name in names if getattr(before, name) != getattr(after, name))


def _with_fixed(new: Settings, old: Settings) -> Settings:
    api = replace(new.api, base_url=old.api.base_url, timeout=old.api.timeout, key_file=old.api.key_file)
    return replace(new, inbox=old.inbox, outbox=old.outbox, state=old.state, store=old.store, api=api)

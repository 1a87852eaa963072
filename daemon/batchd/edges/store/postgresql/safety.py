"""Whether a server keeps what it has answered: what could lose an intent, and so have it paid for twice."""

from typing import Any, Final

import psycopg

from batchd.edges.store.postgresql.connection import connected, named
from batchd.edges.store.postgresql.errors import sorted_by_cause
from batchd.edges.store.postgresql.migrating import is_empty, known
from batchd.edges.store.postgresql.transaction import fetched

_SWITCHES: Final = ("fsync", "full_page_writes")
_WEAK: Final = frozenset({"off", "local", "remote_write"})
"""Values of `synchronous_commit` with which a commit is answered that a standby, or the disk, may not have."""
_SAFETY: Final = """SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS ours, current_setting('synchronous_standby_names') <> '' AS waits,
    (SELECT count(*) FROM pg_stat_replication) AS standbys, pg_is_in_recovery() AS standby"""


async def risks(db: "psycopg.AsyncConnection[Any]") -> list[str]:
    """What could lose a commit that was answered, each in a clause."""
    (row,) = await fetched(db, _SAFETY)
    said = [f"{name} is {row[name]}: a power cut may lose it" for name in _SWITCHES if row[name] != "on"]
    if row["ours"] in _WEAK:
        said.append(f"synchronous_commit is {row['ours']}, also for batchd: it is answered before it is durable")
    if row["standbys"] and not row["waits"]:
        said.append(
            "synchronous_standby_names is empty: a standby that is promoted may lack it (start on one with --restored)"
        )
    if row["standby"]:
        said.append("this server is itself a standby, and takes no commits")
    return said


async def examined(url: str) -> tuple[str, bool, list[str]]:
    """Look a server's database over, also one in which nothing was made yet.

    Returns:
        Its name, whether it has our tables, and what could lose a commit.

    Raises:
        Unusable: It cannot be worked with.
        Unavailable: It cannot be reached.
    """
    async with connected(url) as db:
        try:
            if empty := await is_empty(db, url):
                return named(url), not empty, await risks(db)
            await known(db, url, to_be_migrated=False)
            return named(url), True, await risks(db)
        except psycopg.Error as error:
            raise sorted_by_cause(error) from error

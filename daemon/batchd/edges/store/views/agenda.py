"""The agenda: which kinds of things there is something to do about, read in one query however many there are.

A look that finds nothing to do costs this query and no other.
"""

import json
from dataclasses import dataclass

from batchd.edges.store.batches import OPEN
from batchd.edges.store.database import Database
from batchd.edges.store.jobs import UNDELIVERED
from batchd.edges.store.requests import BEHIND
from batchd.edges.store.statements import Row
from batchd.edges.store.steps import DUE, TO_RETRY
from batchd.model import BatchId

_KINDS = {
    "arriving": "SELECT 1 FROM jobs WHERE missing > 0",
    "waiting": "SELECT 1 FROM requests INDEXED BY requests_waiting WHERE batch IS NULL AND verdict IS NULL",
    "behind": f"SELECT 1 FROM requests WHERE {BEHIND}",  # noqa: S608  own text
    "cancelled": "SELECT 1 FROM jobs WHERE cancel_wanted AND NOT delivered",
    "undelivered": f"SELECT 1 FROM jobs WHERE {UNDELIVERED}",  # noqa: S608  own text
    "to_retry": f"SELECT 1 FROM jobs WHERE {TO_RETRY}",  # noqa: S608  own text
    "stepping": f"SELECT 1 FROM jobs WHERE {DUE}",  # noqa: S608  own text
    "held": f"""SELECT 1 FROM jobs WHERE hold IS NOT NULL
        UNION ALL SELECT 1 FROM jobs WHERE step_hold IS NOT NULL
        UNION ALL SELECT 1 FROM batches WHERE {OPEN} AND state = 'held'""",  # noqa: S608  own text
    "to_tell": "SELECT 1 FROM notices WHERE state = 'new'",
}
_READ = f"""SELECT {", ".join(f"EXISTS ({each}) AS {kind}" for kind, each in _KINDS.items())},
    (SELECT json_group_array(id) FROM batches WHERE {OPEN} AND state <> 'held') AS live"""  # noqa: S608  own text


@dataclass(frozen=True, slots=True)
class Due:
    """What there is."""

    live: frozenset[BatchId]
    """The batches that need a courier."""
    arriving: bool
    """Whether requests of any job are still to be stored."""
    waiting: bool
    """Whether any request has neither a batch nor a verdict, whatever it waits for."""
    behind: bool
    """Whether any of them shares its beginning with others."""
    cancelled: bool
    """Whether any job is to be cancelled, and is not delivered yet."""
    undelivered: bool
    """Whether any job lacks nothing but its reports."""
    to_retry: bool
    """Whether any finished job is to be opened again."""
    stepping: bool
    """Whether the next step of any job can be taken."""
    held: bool
    """Whether any job or batch waits for a person, or for money."""
    to_tell: bool
    """Whether any notice was addressed to nobody yet."""


class Agenda:
    """What the store has to do for those that look into it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self) -> Due:
        """Say what there is to do now."""
        (row,) = await self._database.rows(_READ)
        return _due(row)


def _due(row: Row) -> Due:
    return Due(
        live=frozenset(BatchId(each) for each in json.loads(row["live"])),
        **{kind: bool(row[kind]) for kind in _KINDS},
    )

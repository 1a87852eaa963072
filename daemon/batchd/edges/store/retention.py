"""Retention: which finished jobs have been finished for how long, and the removal of their rows, a slice at a time."""

import json
from collections.abc import Iterator
from typing import Final

from batchd.decisions.retention import Aged, What
from batchd.edges.store import rollup
from batchd.edges.store.database import Database
from batchd.edges.store.facts import FLOOR
from batchd.edges.store.statements import AMONG, Row, Transaction, fetch, returning, update
from batchd.model import JobId, RequestId

SLICE: Final = 500
"""Requests whose rows are removed in one commit: nobody else's commit waits longer for it than 150 ms."""
PAGES: Final = 250
"""Pages that are given back to the file system in one go."""


class Retention:
    """What is old in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def jobs(self) -> list[Aged]:
        """List every job of which something is left that could be removed."""
        return await self._database.values(
            _aged,
            """SELECT id, name, claim, total, finished_at, delivered, retry_wanted, folder_pruned, rows_pruned,
                   folder_packed, EXISTS (SELECT 1 FROM requests WHERE job = jobs.id) AS has_rows,
                   EXISTS (SELECT 1 FROM jobs AS other
                           WHERE other.name > jobs.name || '/' AND other.name < jobs.name || '0'
                             AND coalesce(other.folder_pruned, '') <> 'gone') AS holds_others
               FROM jobs WHERE coalesce(folder_pruned, '') <> 'gone'
                   OR EXISTS (SELECT 1 FROM requests WHERE job = jobs.id) ORDER BY id""",
        )

    async def let_folder_go(self, job: JobId) -> bool:
        """Note that the folder of a finished job is being removed, and say whether it may be.

        Before the folder is touched: whatever a crash comes between, the next time goes on from here.
        """
        return await self._let_go(job, "folder_pruned = 'going'", "coalesce(folder_pruned, '') <> 'gone'")

    async def folder_gone(self, job: JobId) -> None:
        """Note that the folder of a job is gone."""
        await self._database.write(lambda db: update(db, "UPDATE jobs SET folder_pruned = 'gone' WHERE id = ?", job))

    async def let_folder_be_packed(self, job: JobId) -> bool:
        """Note that the results of a finished job are being packed, and say whether they may be."""
        return await self._let_go(job, "folder_packed = 'going'", "coalesce(folder_packed, '') <> 'gone'")

    async def folder_packed(self, job: JobId) -> None:
        """Note that the results of a job are packed."""
        await self._database.write(lambda db: update(db, "UPDATE jobs SET folder_packed = 'gone' WHERE id = ?", job))

    async def let_rows_go(self, job: JobId) -> bool:
        """Note that the rows of a finished job are being removed, and say whether they may be."""
        return await self._let_go(job, "rows_pruned = TRUE", "TRUE")

    async def _let_go(self, job: JobId, change: str, condition: str) -> bool:
        async def step(db: Transaction) -> bool:
            # What once had an id at the API must never share it with what is asked tomorrow.
            await update(
                db,
                """INSERT INTO facts (name, value)
                   SELECT CAST(?1 AS TEXT), CAST(coalesce(max(id), 0) + 1 AS TEXT) FROM requests WHERE TRUE
                   ON CONFLICT (name) DO UPDATE
                   SET value = CAST(max(CAST(facts.value AS BIGINT), CAST(excluded.value AS BIGINT)) AS TEXT)""",
                FLOOR,
            )
            changed = await returning(
                db,
                f"UPDATE jobs SET {change} WHERE id = ? AND delivered AND NOT retry_wanted AND {condition} RETURNING 1",  # noqa: S608  own text
                job,
            )
            return changed is not None

        return await self._database.write(step)

    async def remove_rows(self, job: JobId) -> int:
        """Remove some requests of a job, with their trips, and say how many; what they came to stays in every sum.

        Args:
            job: One whose rows are being removed.
        """

        async def step(db: Transaction) -> int:
            found = await fetch(
                db,
                """SELECT requests.id FROM requests JOIN jobs ON jobs.id = job
                   WHERE job = ? AND rows_pruned LIMIT ?""",
                job,
                SLICE,
            )
            requests = [RequestId(row["id"]) for row in found]
            await rollup.keep(db, requests)
            among = json.dumps(requests)
            for table, column in (("given_up", "request"), ("recovered", "request"), ("warmings", "first"),
                                  ("trips", "request"), ("requests", "id")):  # fmt: skip
                await update(db, f"DELETE FROM {table} WHERE {AMONG.format(column)}", among)  # noqa: S608  our own names
            return len(requests)

        removed = await self._database.write(step)
        await self._database.spare_others_the_log()
        return removed

    async def give_back_pages(self) -> int:
        """Give some of the file's empty pages back to the file system, and say how many are left."""
        left = await self._database.give_back_pages(PAGES)
        await self._database.spare_others_the_log()
        return left


def _going(row: Row) -> Iterator[What]:
    if row["folder_pruned"] == "going":
        yield What.OUTBOX
    elif row["folder_packed"] == "going" and row["folder_pruned"] is None:
        yield What.DOCUMENTS_ONLY
    if row["rows_pruned"] and row["has_rows"]:
        yield What.ROWS


def _aged(row: Row) -> Aged:
    return Aged(
        job=JobId(row["id"]),
        name=row["name"],
        claim=row["claim"],
        requests=row["total"],
        finished_at=row["finished_at"] if row["delivered"] else None,
        wanted_again=bool(row["retry_wanted"]),
        has_folder=row["folder_pruned"] != "gone",
        has_rows=bool(row["has_rows"]),
        is_packed=row["folder_packed"] == "gone",
        holds_others=bool(row["holds_others"]),
        going=frozenset(_going(row)),
    )

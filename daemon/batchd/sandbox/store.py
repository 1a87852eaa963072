"""Where batches are kept: one SQLite file, and each batch's body as it came, beside it.

Nothing of a batch is held in memory: a request is a row that points into the body. A batch exists from the commit that
gives it its id, so a process killed at any instant leaves whole batches only. Methods block for milliseconds, and are
safe to call from any thread.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchd.sandbox.answer import Request
from batchd.sandbox.batch import Batch
from batchd.sandbox.checks import Refusal, Terms
from batchd.sandbox.database import Database
from batchd.sandbox.examiner import Cached, Finding

_BATCH = (
    "SELECT number, id, count, created_at, done_at, expires_at, listed_at, canceled_at, cancel_duration, deleted_at,"
    " version, betas FROM batch"
)
_OF_WORKSPACE = "(? IS NULL OR number IN (SELECT batch FROM workspace WHERE name = ?))"
_OUTCOME = "CASE WHEN takes > ? THEN ? ELSE outcome END"


@dataclass(frozen=True, slots=True)
class Row:
    """One request on its way into the book."""

    custom_id: str
    began: int
    ended: int
    takes: float
    finding: Finding


@dataclass(frozen=True, slots=True)
class Filed:
    """One request on its way out: what to answer, and where its params lie."""

    request: Request
    began: int
    ended: int


class Book:
    """All batches of one sandbox."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, or create it.

        Args:
            folder: Where it lies; made if it does not exist.
        """
        self.folder = folder
        (folder / "bodies").mkdir(parents=True, exist_ok=True)
        self.database = Database(folder / "sandbox.db")
        """Where the batches are, and what else the sandbox must not forget."""
        self._counts: dict[int, dict[str, int]] = {}
        self._forget_unfinished()

    def close(self) -> None:
        """Close the file; whatever was said to be kept is."""
        self.database.close()

    def attempts(self) -> Counter[bytes]:
        """How often each prompt that tells to fail has been sent."""
        return Counter(dict(self.database.all("SELECT told, count(*) FROM request WHERE told NOT NULL GROUP BY told")))

    def begin(self) -> int:
        """Make room for a batch that is being received; it does not exist yet."""
        with self.database.transaction() as database:
            number = database.execute("INSERT INTO batch DEFAULT VALUES").lastrowid
        if number is None:  # only for the type: an INSERT always has one
            raise RuntimeError("no row was inserted")
        return number

    def body(self, number: int) -> Path:
        """Where the body of a batch lies."""
        return self.folder / "bodies" / f"{number}.json"

    def file(self, number: int, first: int, rows: Sequence[Row]) -> None:
        """Enter some of the requests of a batch that is being received.

        Args:
            first: Position of the first of them in the body.
        """
        values = (
            (
                *(number, position, row.custom_id, row.began, row.ended, row.finding.digest, row.finding.told),
                *(row.takes, row.finding.outcome, *(row.finding.refusal or (None, None))),
                *(row.finding.tokens, *row.finding.cached),
            )
            for position, row in enumerate(rows, first)
        )
        said = [
            (number, position, row.finding.answer)
            for position, row in enumerate(rows, first)
            if row.finding.answer is not None
        ]
        with self.database.transaction() as database:
            database.executemany(f"INSERT INTO request VALUES ({', '.join('?' * 15)})", values)  # noqa: S608  question marks
            database.executemany("INSERT INTO scripted VALUES (?, ?, ?)", said)

    def create(self, batch: Batch, workspace: str | None) -> None:
        """Let a batch exist in a workspace, where there are several, once all of its requests are filed."""
        with self.database.transaction() as database:
            if workspace is not None:
                database.execute("INSERT INTO workspace VALUES (?, ?)", (batch.number, workspace))
            database.execute(
                "UPDATE batch SET id = ?, count = ?, created_at = ?, done_at = ?, expires_at = ?, listed_at = ?,"
                " cancel_duration = ?, version = ?, betas = ? WHERE number = ?",
                (
                    *(batch.id, batch.count, batch.created_at, batch.done_at, batch.expires_at, batch.listed_at),
                    *(batch.cancel_duration, batch.terms.version, ",".join(sorted(batch.terms.betas)), batch.number),
                ),
            )

    def drop(self, number: int) -> None:
        """Forget a batch that was being received and never came to be."""
        self.body(number).unlink(missing_ok=True)
        with self.database.transaction() as database:
            database.execute("DELETE FROM scripted WHERE batch = ?", (number,))
            database.execute("DELETE FROM request WHERE batch = ?", (number,))
            database.execute("DELETE FROM batch WHERE number = ? AND id IS NULL", (number,))

    def find(self, name: str, workspace: str | None = None) -> Batch | None:
        """The batch of this id, unless it was deleted, or is of another workspace.

        Args:
            name: `msgbatch_…`.
        """
        where = f"WHERE id = ? AND deleted_at IS NULL AND {_OF_WORKSPACE}"
        return next(self._batches(where, (name, workspace, workspace)), None)

    def all(self) -> list[Batch]:
        """Every batch that was ever created, deleted ones included, oldest first."""
        return list(self._batches("WHERE id NOT NULL ORDER BY number", ()))

    def made_in(self, workspace: str) -> int:
        """How many batches were ever created in a workspace, where there are several."""
        ((count,),) = self.database.all("SELECT count(*) FROM workspace WHERE name = ?", (workspace,))
        return int(count)

    def page(
        self, limit: int, now: float, workspace: str | None, *, below: int | None = None, above: int | None = None
    ) -> list[Batch]:
        """Batches that lists show, newest first.

        Args:
            now: Unix seconds.
            workspace: Only those of this one; None for all.
            below: Only older ones than this number.
            above: Only newer ones, and of those the oldest.
        """
        shown = f"WHERE id NOT NULL AND deleted_at IS NULL AND listed_at <= ? AND {_OF_WORKSPACE}"
        of = (now, workspace, workspace)
        if above is not None:
            found = list(self._batches(f"{shown} AND number > ? ORDER BY number LIMIT ?", (*of, above, limit)))
            return found[::-1]
        highest = 2**62 if below is None else below
        return list(self._batches(f"{shown} AND number < ? ORDER BY number DESC LIMIT ?", (*of, highest, limit)))

    def queued(self, now: float) -> int:
        """Requests of batches that have not ended.

        Args:
            now: Unix seconds.
        """
        return sum(batch.count for batch in self._batches("WHERE id NOT NULL", ()) if now < batch.ends_at)

    def cancel(self, batch: Batch, now: float) -> None:
        """Note that somebody wants it to end.

        Args:
            batch: One under way; canceling it again changes nothing.
            now: Unix seconds.
        """
        with self.database.transaction() as database:
            database.execute(
                "UPDATE batch SET canceled_at = ? WHERE number = ? AND canceled_at IS NULL",
                (now, batch.number),
            )

    def delete(self, batch: Batch, now: float) -> None:
        """Let it be gone; the ledger still knows of it.

        Args:
            batch: One that has ended.
            now: Unix seconds.
        """
        with self.database.transaction() as database:
            database.execute("UPDATE batch SET deleted_at = ? WHERE number = ?", (now, batch.number))
        self.body(batch.number).unlink(missing_ok=True)

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many requests of a batch that has ended did so how."""
        if batch.number not in self._counts:
            self._counts[batch.number] = dict(
                self.database.all(
                    f"SELECT {_OUTCOME} AS result, count(*) FROM request WHERE batch = ? GROUP BY result",  # noqa: S608  a constant
                    (batch.cutoff, batch.unprocessed, batch.number),
                ),
            )
        return self._counts[batch.number]

    def requests(self, batch: Batch, positions: Sequence[int]) -> list[Filed]:
        """Requests of a batch that has ended, in the order asked for.

        Args:
            positions: Which ones; some dozens at a time.
        """
        wanted, marks = (batch.number, *positions), ", ".join("?" * len(positions))
        said: dict[int, str] = dict(
            self.database.all(
                f"SELECT position, answer FROM scripted WHERE batch = ? AND position IN ({marks})",  # noqa: S608  question marks
                wanted,
            )
        )
        found = {
            position: Filed(
                Request(
                    custom_id,
                    outcome,
                    Refusal(kind, message) if kind else None,
                    digest,
                    tokens,
                    Cached(*cached),
                    said.get(position),
                ),
                began,
                ended,
            )
            for position, custom_id, began, ended, outcome, kind, message, digest, tokens, *cached in self.database.all(
                f"SELECT position, custom_id, began, ended, {_OUTCOME}, kind, message, digest, tokens, cache_read,"  # noqa: S608  a constant and question marks
                f" cache_5m, cache_1h FROM request WHERE batch = ? AND position IN ({marks})",
                (batch.cutoff, batch.unprocessed, *wanted),
            )
        }
        return [found[position] for position in positions]

    def digests(self, batch: Batch) -> list[tuple[str, bytes, str]]:
        """custom_id, SHA-256 of the params and outcome of every request, in the order of the body.

        Args:
            batch: The batch; the outcome is what it will be if it is still under way.
        """
        return self.database.all(
            f"SELECT custom_id, digest, {_OUTCOME} FROM request WHERE batch = ? ORDER BY position",  # noqa: S608  a constant
            (batch.cutoff, batch.unprocessed, batch.number),
        )

    def usage(self, batch: Batch) -> str | None:
        """The bill, as noted by `note_usage`."""
        return next(
            (usage for (usage,) in self.database.all("SELECT usage FROM batch WHERE number = ?", (batch.number,))), None
        )

    def note_usage(self, batch: Batch, usage: str) -> None:
        """Keep the bill, which is some work to find out.

        Args:
            batch: One that has ended.
        """
        with self.database.transaction() as database:
            database.execute("UPDATE batch SET usage = ? WHERE number = ?", (usage, batch.number))

    def _forget_unfinished(self) -> None:
        for (number,) in self.database.all("SELECT number FROM batch WHERE id IS NULL"):
            self.drop(number)

    def _batches(self, where: str, values: Sequence[object]) -> Iterator[Batch]:
        for *fields, version, betas in self.database.all(f"{_BATCH} {where}", values):
            yield Batch(*(*fields, Terms(version, frozenset(filter(None, betas.split(","))))))

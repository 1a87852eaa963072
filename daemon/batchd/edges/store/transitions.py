"""One change of a batch: one statement, for a batch that is still as the caller believes it to be."""

from collections.abc import Awaitable, Callable, Collection

from batchd.edges.store.statements import Row, Step, Transaction, betas_of, returning
from batchd.lifecycle import CARRIES, OPTIONAL, State, may_follow
from batchd.model import Batch, BatchId, Evidence, Intent, Lacking, Lane, RemoteId

Also = Callable[[Transaction], Awaitable[None]]
"""What a step changes beside the batch, in the same commit."""


class Stale(Exception):
    """The batch is no longer in the state the caller believed it to be in: read it again."""


def step_along(
    batch: Batch, before: Collection[State], to: State, changes: dict[str, object], also: Also | None
) -> Step[Batch]:
    """Take a batch one step along the table of states; what the new state does not carry, and the trouble, is cleared.

    Args:
        batch: As the caller believes it to be; the step raises `Stale` where it is not in that state any more.
        before: From which states the verb may take it.
        to: Its new state.
        changes: Column by column.
        also: What changes beside it.

    Raises:
        ValueError: The table of states has no such step.
    """
    if batch.state not in before or not may_follow(batch.state, to):
        raise ValueError(f"a batch that is {batch.state} never becomes {to}")
    cleared: dict[str, object] = dict.fromkeys((OPTIONAL - CARRIES[to]) | {"trouble"})
    return changed(batch, {"state": to} | cleared | changes, also)


def changed(batch: Batch, changes: dict[str, object], also: Also | None) -> Step[Batch]:
    """Change columns of a batch, and what belongs to that, in one commit.

    Args:
        batch: As the caller believes it to be; the step raises `Stale` where it is not in that state any more.
        changes: Column by column.
        also: What changes beside it.
    """
    columns = ", ".join(f"{column} = ?" for column in changes)
    sql = f"UPDATE batches SET {columns} WHERE id = ? AND state = ? AND attempt = ? RETURNING *"  # noqa: S608  own names

    async def step(db: Transaction) -> Batch:
        row = await returning(db, sql, *changes.values(), batch.id, batch.state, batch.attempt)
        if row is None:
            raise Stale(f"batch {batch.id} is not {batch.state} any more")
        if also is not None:
            await also(db)
        return batch_of(row)

    return step


def batch_of(row: Row) -> Batch:
    """Make a batch of a row of the table."""
    remote, twin = row["remote_id"], row["twin"]
    return Batch(
        id=BatchId(row["id"]),
        state=State(row["state"]),
        lane=Lane(row["lane"]),
        betas=betas_of(row),
        version=row["version"],
        account=row["account"],
        count=row["count"],
        size=row["size"],
        nonce=row["nonce"],
        attempt=row["attempt"],
        planned_at=row["planned_at"],
        doubts=row["doubts"],
        intent=_intent_of(row),
        doubted_at=row["doubted_at"],
        remote_id=None if remote is None else RemoteId(remote),
        evidence=None if row["evidence"] is None else Evidence(row["evidence"]),
        submitted_at=row["submitted_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        results_url=row["results_url"],
        next_poll_at=row["next_poll_at"],
        denied_since=row["denied_since"],
        cancelled_at=row["cancelled_at"],
        twin=None if twin is None else RemoteId(twin),
        lacking=None if row["lacking"] is None else Lacking(row["lacking"], row["lacking_since"]),
        trouble=row["trouble"],
    )


def _intent_of(row: Row) -> Intent | None:
    if row["baseline_time"] is None:
        return None
    newest = row["baseline_id"]
    return Intent(
        row["count"],
        None if newest is None else RemoteId(newest),
        row["baseline_time"],
        row["origin"],
        row["organization"],
    )

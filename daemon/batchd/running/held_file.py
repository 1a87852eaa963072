"""What waits for a person says so in the outbox too: `held.json`, with the reason and the commands that answer it."""

from pathlib import Path

import msgspec
from anyio import to_thread

from batchd.decisions.report import HELD, timestamp
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Store
from batchd.lifecycle import State
from batchd.model import Batch, Lane, RemoteId


def answers(batch: Batch) -> list[str]:
    """List the commands with which a person can decide about a held batch; none for any other.

    Args:
        batch: Any.
    """
    if batch.state is not State.HELD:
        return []
    known = batch.remote_id or RemoteId("ID")
    # No list shows a single message, so there is nothing to adopt.
    adopt = [f"--adopt {known}"] if batch.lane is Lane.BATCH else []
    return [f"batchd resolve {batch.id} {answer}" for answer in (*adopt, "--resend", "--drop")]


class HeldFiles:
    """Keeps `held.json` in the folders of those jobs that are held, and nowhere else."""

    def __init__(self, store: Store, outbox: Path) -> None:
        """Make ready.

        Args:
            store: Where jobs stand.
            outbox: Where their folders are.
        """
        self._store = store
        self._outbox = outbox
        self._written: dict[str, bytes] = {}

    async def show(self) -> None:
        """Write, or take away, what has changed since the last call."""
        notes = {name: _encoded(note) for name, note in (await self._notes()).items()}
        for name, note in notes.items():
            if self._written.get(name) != note:
                await to_thread.run_sync(JobFolder(self._outbox, name).write_whole, HELD, [note])
        for name in self._written.keys() - notes.keys():
            await to_thread.run_sync(JobFolder(self._outbox, name).remove, HELD)
        self._written = notes

    async def _notes(self) -> dict[str, dict[str, object]]:
        notes: dict[str, dict[str, object]] = {}
        for job in await self._store.spending.held():
            notes[job.name] = {
                "job": job.name,
                "reason": job.hold,
                "until": None if job.hold_until is None else timestamp(job.hold_until),
                "release": f"batchd release {job.name}",
            }
        for batch_id in await self._store.answers.held():
            batch = await self._store.batches.get(batch_id)
            told = {"batch": batch.id, "reason": batch.trouble, "answers": answers(batch)}
            for name in await self._store.batches.jobs_in(batch_id):
                note = notes.setdefault(name, {"job": name, "reason": batch.trouble})
                batches = note.setdefault("batches", [])
                if isinstance(batches, list):
                    batches.append(told)
        return notes


def _encoded(note: dict[str, object]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n"

"""What waits for a person says so in the outbox too: `held.json`, with the reason and the commands that answer it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec
from anyio import to_thread

from batchd.decisions.report import HELD, rehearsal, timestamp
from batchd.edges.clock import Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.store import Store
from batchd.formats import signed
from batchd.model import BatchId, Job, StepBar
from batchd.standing.batches import answers
from batchd.trouble import Trouble, Work


@dataclass(frozen=True, slots=True)
class Note:
    """What the folder of a job is to say."""

    job: str
    """Its name."""
    text: bytes | None
    """All of `held.json`; None where it is to go."""


class HeldFiles:
    """Keeps `held.json` in the folders of jobs that wait for a person, and nowhere else.

    A job waits for one when a budget or a batch of it is held, when a defect has parked its work, or when the world has
    been unable to do something for it for an hour.
    """

    def __init__(self, store: Store, clock: Clock, outbox: Path) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._written: dict[str, bytes] = {}

    @property
    def any_written(self) -> bool:
        """Whether there is a note that may have to be taken away."""
        return bool(self._written)

    async def due(self, troubles: Collection[Trouble]) -> list[Note]:
        """List the notes that are to be written, or taken away, since they were last written.

        Args:
            troubles: What could not be done so far.
        """
        notes = {name: _encoded(note) for name, note in (await self._notes(troubles)).items()}
        changed = [Note(name, note) for name, note in notes.items() if self._written.get(name) != note]
        return changed + [Note(name, None) for name in self._written.keys() - notes.keys()]

    async def write(self, note: Note) -> None:
        """Write a note, or take it away."""
        folder = JobFolder(self._outbox, note.job)
        if note.text is None:
            await to_thread.run_sync(folder.remove, HELD)
            self._written.pop(note.job, None)
        else:
            await to_thread.run_sync(folder.write_whole, HELD, [note.text])
            self._written[note.job] = note.text

    async def _notes(self, troubles: Collection[Trouble]) -> dict[str, dict[str, object]]:
        notes: dict[str, dict[str, object]] = {}
        for job in await self._store.jobs.held():
            notes[job.name] = _of_budget(job)
        for batch in await self._store.batches.held():
            told = {"batch": batch.id, "reason": batch.trouble, "answers": answers(batch)}
            for name in await self._store.trips.jobs_in(batch.id):
                _append(notes.setdefault(name, {"job": name, "reason": batch.trouble}), "batches", told)
        for trouble in troubles:
            if trouble.lasts(self._clock.now()):
                for name in await self._whose(trouble):
                    _append(notes.setdefault(name, {"job": name, "reason": trouble.reason}), "troubles", _told(trouble))
        notes = {name: {**signed("held"), **note} for name, note in notes.items()}
        if notes and await self._store.facts.of_sandbox():
            notes = {name: {**note, **rehearsal(sandbox=True)} for name, note in notes.items()}
        return notes

    async def _whose(self, trouble: Trouble) -> list[str]:
        """Name the jobs that a trouble keeps from their end: none for a file that is no job yet."""
        thing = trouble.thing
        match thing.work:
            case Work.CARRY:
                return await self._store.trips.jobs_open_in(BatchId(int(thing.id)))
            case Work.ADD | Work.STEP | Work.PACK | Work.FINISH | Work.REOPEN:
                return [thing.name]
            case _:
                return []


def _of_budget(job: Job) -> dict[str, object]:
    if job.step_bar is StepBar.ANSWERS:
        return {
            "job": job.name,
            "reason": job.hold,
            "until": None,
            "retry": f"batchd retry {job.name}",
            "release": f"batchd release {job.name}",
        }
    if job.twin is not None:
        return {
            "job": job.name,
            "reason": job.hold,
            "until": None,
            "release": f"batchd release {job.name}",
            "cancel": f"batchd cancel {job.name}",
        }
    return {
        "job": job.name,
        "reason": job.hold,
        "until": None if job.hold_until is None else timestamp(job.hold_until),
        "release": f"batchd release {job.name}",
        "release_up_to": f"batchd release {job.name} --up-to USD",
    }


def _told(trouble: Trouble) -> dict[str, object]:
    return {"since": timestamp(trouble.since), "what": trouble.thing.work.undone, "reason": trouble.reason}


def _append(note: dict[str, object], key: str, value: object) -> None:
    held = note.setdefault(key, [])
    if isinstance(held, list):
        held.append(value)


def _encoded(note: dict[str, object]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n"

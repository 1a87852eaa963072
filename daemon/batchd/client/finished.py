"""What a program is told of a job: its `job.json`, or why there is none."""

from pathlib import Path

from batchd.formats.jobs import Job
from batchd.text import typed


class Refused(Exception):
    """What was dropped was rejected: nothing of it was sent."""

    def __init__(self, rejected: str, errors: list[dict[str, object]], count: int) -> None:
        first = errors[0] if errors else {}
        line = f"line {first['line']}: " if first.get("line") else ""
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        super().__init__(f"{rejected}: {line}{first.get('message', 'rejected')}{more}")
        self.rejected = rejected
        """Its path below `rejected/` in the outbox."""
        self.errors = errors
        """The first of them, each with `line`, `field` and `message`."""
        self.count = count
        """How many there are."""


class Held(Exception):
    """A job waits for a person."""

    def __init__(self, job: str, note: dict[str, object]) -> None:
        super().__init__(f"job {job} waits for a person: {note.get('reason')}")
        self.job = job
        self.note = note
        """All of its `held.json`: the reason, and the commands that answer it."""


def read_job(folder: Path) -> Job | None:
    """Read the `job.json` of a job's folder; None where it has none yet."""
    try:
        return typed.decode((folder / "job.json").read_bytes(), Job)
    except FileNotFoundError:
        return None

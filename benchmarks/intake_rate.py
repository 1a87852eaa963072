"""The way in: files and requests a second, checked and durable; and what group commits are worth."""

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio
from batchd.app import prepared
from batchd.edges.clock import Bell, Clock
from batchd.edges.store import DATABASE, Arrival, open_store
from batchd.edges.store.statements import Transaction, update
from batchd.journey.intake import Intake
from batchd.journey.reading import rules_of
from batchd.running.retrying import Retrying
from batchd.settings import Settings
from batchd.settings.tables import Intake as Taking

from benchmarks._measure import apart
from benchmarks._report import middle, number, table, times, wants_full
from benchmarks.event_loop import many_requests

PROMPT = "Say in a few words what this record is about. " * 10


def take(place: Path, files: int) -> float:
    """Take what lies in the inbox, until every file is an accepted job.

    Args:
        place: The folders.
        files: How many there are.

    Returns:
        Seconds.
    """

    async def work() -> float:
        settings = Settings(inbox=place / "inbox", outbox=place / "outbox", state=place / "state")
        places = prepared(settings)
        async with open_store(places.state / DATABASE) as store, anyio.create_task_group() as tasks:
            accepted = Bell()
            intake = Intake(
                store,
                Clock(),
                places,
                rules_of(settings),
                Taking(settle=0.0),
                accepted,
                Retrying(store, Clock(), accepted),
            )
            began = time.perf_counter()
            await intake.sweep(tasks)
            while not intake.idle:
                await accepted.wait()
            seconds = time.perf_counter() - began
            if len(await store.jobs.recent(0)) != files:
                raise AssertionError("not every file was accepted")
        return seconds

    return asyncio.run(work())


def script(place: Path, files: int) -> float:
    """Take them as a script would: decode, note durably that a file was seen, put it away. Nothing is checked.

    Args:
        place: The folders.
        files: How many there are.

    Returns:
        Seconds.
    """
    seen = place / "seen"
    seen.mkdir()
    began = time.perf_counter()
    with (place / "seen.log").open("w", encoding="utf-8") as log:
        for file in (place / "inbox").iterdir():
            with file.open("rb") as lines:
                for line in lines:
                    if file.suffix == ".jsonl":
                        json.loads(line)
            log.write(f"{file.name}\n")
            log.flush()
            os.fsync(log.fileno())
            file.rename(seen / file.name)
            files -= 1
    if files:
        raise AssertionError("not every file was read")
    return time.perf_counter() - began


def commit(steps: int, *, together: bool) -> float:
    """Store small steps durably.

    Args:
        steps: How many.
        together: Whether they are asked for at one time, as many couriers do, or each after the other.

    Returns:
        Seconds.
    """

    async def step(db: Transaction) -> int:
        return await update(db, "UPDATE jobs SET cancel_wanted = NOT cancel_wanted WHERE id = 1")

    async def work() -> float:
        with tempfile.TemporaryDirectory() as place:
            async with open_store(Path(place, DATABASE)) as store:
                await store.arrivals.accept(
                    Arrival(claim="c", name="n", source="s", received_at=0, total=1, requests=())
                )
                began = time.perf_counter()
                if together:
                    async with anyio.create_task_group() as tasks:
                        for _ in range(steps):
                            tasks.start_soon(store.database.write, step)
                else:
                    for _ in range(steps):
                        await store.database.write(step)
                return time.perf_counter() - began

    return asyncio.run(work())


def with_inbox(fill: Callable[[Path], int], measure: Callable[[Path, int], float]) -> float:
    """Fill an inbox, and measure what takes it.

    Args:
        fill: Writes the files, and says how many.
        measure: One of the functions above.

    Returns:
        Seconds.
    """
    place = Path(tempfile.mkdtemp())
    try:
        (place / "inbox").mkdir()
        return apart(measure, place, fill(place / "inbox"))
    finally:
        shutil.rmtree(place)


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    runs, files, requests, steps = (3, 2_000, 100_000, 10_000) if full else (1, 2_000, 20_000, 2_000)

    def small(inbox: Path) -> int:
        for name in range(files):
            (inbox / f"{name}.md").write_text(f"{PROMPT} Record {name}.", "utf-8")
        return files

    def small_lines(inbox: Path) -> int:
        for name, line in enumerate(many_requests(files, 500)):
            (inbox / f"{name}.jsonl").write_bytes(line)
        return files

    def large(inbox: Path) -> int:
        with (inbox / "large.jsonl").open("wb") as file:
            file.writelines(many_requests(requests))
        return 1

    rows = []
    for name, count, unit, fill in (
        (f"{files:,} files of Markdown", files, "files", small),
        (f"{files:,} files of one request", files, "files", small_lines),
        (f"a JSONL of {requests:,} requests, {requests * 2 / 1000:,.0f} MB", requests, "requests", large),
    ):
        ours, bare = (middle([with_inbox(fill, measure) for _ in range(runs)]) for measure in (take, script))
        rows.append((name, f"{number(count / ours)} {unit}/s", f"{number(count / bare)} {unit}/s", times(ours / bare)))
    table(
        "From a drop to an accepted job: taken, checked, spooled, committed, placed in the outbox",
        ("input", "batchd", "a script", "batchd takes"),
        rows,
        "The script decodes with json.loads, checks nothing, and syncs one line of a log for each file.",
    )
    alone, group = (
        middle([apart(commit, steps, together=together) for _ in range(runs)]) for together in (False, True)
    )
    table(
        f"{steps:,} durable steps of the store",
        ("how", "steps/s", "ratio"),
        [
            ("a commit each", number(steps / alone), times(1)),
            ("in groups, as they come", number(steps / group), times(alone / group)),
        ],
    )


if __name__ == "__main__":
    main()

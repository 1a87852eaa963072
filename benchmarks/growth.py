"""What grows with what there is: a request of a much larger job, and a job behind a hundred thousand others."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from batchd.app import prepared
from batchd.edges.store import DATABASE, Arrival, NewRequest, open_store
from batchd.edges.store.statements import update
from batchd.settings import Settings

from benchmarks._measure import apart
from benchmarks._report import middle, number, table, times, wants_full
from benchmarks.event_loop import many_requests
from benchmarks.intake_rate import take

PORTION = 500
FILES = 500


def with_jobs(place: Path, jobs: int) -> None:
    """Make a state that has many finished jobs of one request.

    Args:
        place: The folders.
        jobs: How many.
    """

    async def work() -> None:
        places = prepared(Settings(inbox=place / "inbox", outbox=place / "outbox", state=place / "state"))
        request = NewRequest("a", "a", "claude-haiku-4-5", 9, (), 0, 9)
        async with open_store(places.state / DATABASE) as store:
            for at in range(0, jobs, PORTION):
                names = [f"old-{number_}" for number_ in range(at, at + PORTION)]
                old = await store.arrivals.accept_all([Arrival(name, name, name, 0.0, 1, [request]) for name in names])
                ids = [job.id for job in old]
                await store.jobs.close_all(ids, 1.0)
                await store.jobs.deliver(*ids)
            await store.database.write(
                lambda db: update(db, "UPDATE requests SET verdict = 'complete' WHERE verdict IS NULL")
            )

    asyncio.run(work())


def measure(old: int, fill: Callable[[Path], int]) -> float:
    """Seconds in which files are taken by a state that has so many jobs already.

    Args:
        old: Those jobs.
        fill: Writes the files, and says how many.
    """
    place = Path(tempfile.mkdtemp())
    try:
        (place / "inbox").mkdir()
        files = fill(place / "inbox")
        apart(with_jobs, place, old)
        return apart(take, place, files)
    finally:
        shutil.rmtree(place)


def main() -> None:
    """Print the figures."""
    full = wants_full(__doc__)
    runs, large, jobs = (3, 1_000_000, 100_000) if full else (1, 100_000, 20_000)

    def one_file(requests: int) -> Callable[[Path], int]:
        def fill(inbox: Path) -> int:
            with (inbox / "job.jsonl").open("wb") as file:
                file.writelines(many_requests(requests, 500))
            return 1

        return fill

    def many_files(inbox: Path) -> int:
        for name, line in enumerate(many_requests(FILES, 500)):
            (inbox / f"{name}.jsonl").write_bytes(line)
        return FILES

    def each(old: int, fill: Callable[[Path], int], count: int) -> float:
        return middle([measure(old, fill) for _ in range(runs)]) / count * 1e6

    rows = []
    for what, small, big in (
        (
            f"a request of a job of {large:,}, beside one of 10,000",
            each(0, one_file(10_000), 10_000),
            each(0, one_file(large), large),
        ),
        (f"a job behind {jobs:,} others, beside the first", each(0, many_files, FILES), each(jobs, many_files, FILES)),
    ):
        rows.append((what, number(small), number(big), times(big / small)))
    table("What is taken in, from a drop to an accepted job", ("what", "µs, small", "µs, large", "time taken"), rows)


if __name__ == "__main__":
    main()

"""Disks that fill up, descriptors that run out, databases in other hands, clocks that jump, events that are lost.

Nothing is falsely acknowledged meanwhile, what is wrong is told in a line, and the work goes on by itself.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest
import structlog
from anyio import to_thread
from batchd.app import serve
from batchd.edges.clock import Clock
from batchd.edges.store import DATABASE
from batchd.errors import Unavailable
from batchd.sandbox import SandboxSettings
from batchd.sandbox import serve as serve_sandbox

from tests.support.house import NEVER, SPEED, FastClock, House, at_work, house, run_until, until
from tests.support.surroundings import REPOSITORY, environment

pytestmark = pytest.mark.anyio

QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
"""Events that the kernel keeps for a watcher."""


def look(home: House, *words: str) -> str:
    """What a command says about the house, on either stream."""
    places = ("--inbox", str(home.inbox), "--outbox", str(home.outbox), "--state", str(home.state))
    store = ("--set", f"store={home.store}") if home.store else ()
    done = subprocess.run(
        [sys.executable, "-m", "batchd", *words, *places, *store],
        cwd=home.place,
        env=environment(home.place, {"ANTHROPIC_API_KEY": home.key}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return f"{done.stdout}exit {done.returncode}"


def assert_done(home: House, *names: str) -> None:
    home.assert_nothing_twice()
    for name in names:
        job = home.job(name)
        assert (job["state"], job["requests"]["complete"]) == ("done", job["requests"]["total"])
        assert len(home.results(name)) == len(home.lines(name, "report.jsonl")) == job["requests"]["total"]


# --- full disks -------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk of its own, a small one, in the place of a folder."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


@contextmanager
def filled(folder: Path, *, but: int = 0) -> Iterator[None]:
    """Leave no room but some bytes."""
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            file.truncate(max(file.tell() - but, 0))
    yield
    ballast.unlink()


@pytest.mark.parametrize("but", [0, 8_192, 40_000])
async def test_a_full_outbox_is_waited_for_and_nothing_is_acknowledged_that_is_not_there(
    tmp_path: Path, but: int
) -> None:
    with small_disk(tmp_path / "outbox", "1m"):
        async with house(tmp_path) as home:
            home.drop("a.jsonl", [f"say {number} [sandbox: words 300]" for number in range(40)], max_tokens=3_000)
            async with at_work(home):
                await until(home.accepted)
                with filled(home.outbox, but=but):
                    await until(lambda: "No space left" in told(home))
                    assert not (home.outbox / "a" / "job.json").exists()
                    assert acknowledged(home) <= size_of(home.outbox / "a" / "results.jsonl")
                    if but == 0:
                        status = await to_thread.run_sync(look, home, "status")
                        (line,) = [line for line in status.splitlines() if line.startswith("!")]
                        assert "No space left on device" in line
                        assert "outbox" in await to_thread.run_sync(look, home, "doctor", "--offline")
            assert_done(home, "a")


async def test_a_full_state_folder_is_waited_for_and_nothing_is_sent_that_is_not_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", "2m"):
        async with house(tmp_path) as home:
            home.drop("a.jsonl", ["one", "two"])
            assert await home.run()
            with filled(home.state):
                home.drop("b.jsonl", [f"say {number}" for number in range(50)])
                with pytest.raises(Unavailable, match="the database cannot be used"):  # the service tries again
                    await home.run()
                assert len(home.accepted()) == 2
                assert [path.name for path in home.inbox.iterdir()] == ["b.jsonl"]
                doctor = await to_thread.run_sync(look, home, "doctor", "--offline")
                assert "make room" in doctor
            assert await home.run()
            assert_done(home, "a", "b")


async def test_a_state_folder_that_fills_up_in_the_middle_stops_nothing_for_good(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", "2m"):
        async with house(tmp_path, duration=8.0) as home:
            home.drop("a.jsonl", [f"say {number}" for number in range(50)])
            with structlog.testing.capture_logs() as logs:
                async with at_work(home):
                    await until(home.accepted)
                    with filled(home.state):
                        home.drop("b.jsonl", ["later"])
                        await until(lambda: [each for each in logs if each["event"] == "waiting"])
                        assert not (home.outbox / "b" / "job.json").exists()
            assert_done(home, "a", "b")


async def test_a_full_inbox_is_emptied_all_the_same(tmp_path: Path) -> None:
    """It is another file system than the state's, so files are copied; nothing has to fit into the inbox for that."""
    with small_disk(tmp_path / "inbox", "1m"):
        async with house(tmp_path) as home:
            home.drop("a.jsonl", ["one", "two"])
            with filled(home.inbox):
                (home.inbox / "b.md").touch()
                (home.inbox / "queue").mkdir()
                assert not await home.run()
            assert_done(home, "a")
            assert (home.outbox / "rejected" / "b.md.errors.json").exists()


async def test_an_outbox_that_cannot_be_written_for_a_while_is_waited_for(tmp_path: Path) -> None:
    with small_disk(tmp_path / "outbox", "4m"):
        async with house(tmp_path) as home:
            home.drop("a.jsonl", ["one", "two"])
            async with at_work(home):
                await until(home.accepted)
                remount(home.outbox, "ro")
                await until(lambda: "Read-only" in told(home))
                assert "may not be written" in await to_thread.run_sync(look, home, "doctor", "--offline")
                remount(home.outbox, "rw")
            assert_done(home, "a")


def told(home: House) -> str:
    """What the store says of the batches under way."""
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        return " ".join(row[0] for row in database.execute("SELECT trouble FROM batches WHERE trouble IS NOT NULL"))


def acknowledged(home: House) -> int:
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        return int(database.execute("SELECT total(results_length) FROM jobs").fetchone()[0])


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# --- descriptors ------------------------------------------------------------------------------------------------------

FEW = """
import json, resource, sys
from functools import partial
import anyio
from batchd.app import serve
from batchd.settings import load_settings
from tests.support.house import FastClock

def run(flags, descriptors):
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    anyio.run(partial(serve, load_settings(flags, None), "sk-ant-test-key", clock=FastClock()))

run(json.loads(sys.argv[1]), int(sys.argv[2]))
"""


@contextmanager
def another_process(home: House, script: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    settings = home.settings()
    said = {name: getattr(settings, name) for name in ("inbox", "outbox", "state", "api", "poll")}
    flags = msgspec.json.encode(said, enc_hook=str).decode()
    with (home.place / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", script, flags, *arguments], cwd=REPOSITORY, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(NEVER)


async def test_out_of_descriptors_nothing_is_lost_and_the_next_start_does_the_rest(home: House) -> None:
    for number in range(40):
        home.drop(f"queue-{number}/a.jsonl", [f"say {number}"])
    with another_process(home, FEW, "20") as process:
        await until(lambda: "Too many open files" in (home.place / "log").read_text() or process.poll() is not None)
        assert process.poll() is None, (home.place / "log").read_text()
    assert "Traceback" not in (home.place / "log").read_text()
    assert await home.run()
    assert_done(home, *(f"queue-{number}/a" for number in range(40)))


CUT_OFF = """
import sys, tempfile
from pathlib import Path
import anyio
from tests.support.house import house

async def main():
    for number in range(6):
        with tempfile.TemporaryDirectory() as place:
            async with house(Path(place)) as home:
                for name in range(15):
                    home.drop(f"{name}.jsonl", [f"say {name}"])
                with anyio.move_on_after(0.02 + number * 0.04):
                    await home.run()

anyio.run(main)
"""


def test_a_daemon_that_is_cut_off_at_any_moment_ends() -> None:
    """Threads that wait for their commit get it: they would be waited for."""
    subprocess.run([sys.executable, "-c", CUT_OFF], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)


# --- the database -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.5, pytest.param(10.0, marks=pytest.mark.slow)])  # SQLite itself waits for 5
async def test_a_database_that_another_process_has_locked_is_waited_for(home: House, seconds: float) -> None:
    home.drop("a.jsonl", ["one", "two"])
    async with at_work(home):
        await until(home.accepted)
        open_database = partial(sqlite3.connect, timeout=60, isolation_level=None, check_same_thread=False)
        with closing(open_database(home.state / DATABASE)) as thief:
            # In a thread: the daemon, whose loop this is, may be within a transaction that it could not end otherwise.
            await to_thread.run_sync(thief.execute, "BEGIN EXCLUSIVE")
            home.drop("b.jsonl", ["dropped meanwhile"])
            assert "the daemon runs" in await to_thread.run_sync(look, home, "status")
            await anyio.sleep(seconds)
            assert not (home.outbox / "b" / "request.jsonl").exists()
            thief.execute("ROLLBACK")
    assert_done(home, "a", "b")


def spoil_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"no database")


def spoil_pages(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def spoil_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'")
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(os.urandom(4096))


@pytest.mark.parametrize("spoil", [spoil_header, pytest.param(spoil_pages, marks=pytest.mark.slow), spoil_a_table])
async def test_a_damaged_database_is_told_of_in_a_line_and_nothing_is_deleted(
    home: House, spoil: Callable[[Path], None]
) -> None:
    home.drop("a.jsonl", ["one", "two"])
    assert await home.run()
    path = home.state / DATABASE
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoil(path)
    before = path.read_bytes()
    home.drop("b.jsonl", ["waits"])
    said = await to_thread.run_sync(look, home, "run", "--quiet", "--set", "intake.settle=0")
    assert said.endswith("exit 2")
    (line,) = [line for line in said.splitlines() if line.startswith("batchd:")]
    assert "docs/operations.md" in line
    assert "Traceback" not in said
    assert path.read_bytes() == before
    assert "exit 2" in await to_thread.run_sync(look, home, "status")
    assert "database" in await to_thread.run_sync(look, home, "doctor", "--offline")


# --- the clock --------------------------------------------------------------------------------------------------------

JUMPS = (-3_600.0, 2 * 86_400.0)


class JumpedClock(FastClock):
    """The same clock, set to another time."""

    def __init__(self, of: Clock, jump: float) -> None:
        super().__init__(SPEED)
        self._base = of.now() + jump


@pytest.mark.parametrize("jump", JUMPS)
def test_the_clock_does_not_follow_jumps(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, real = Clock(), time.time
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert 0 <= clock.now() - before < 5


@pytest.mark.parametrize("jump", [JUMPS[0], pytest.param(JUMPS[1], marks=pytest.mark.slow)])
async def test_a_clock_that_jumps_while_the_daemon_runs_changes_no_timer(
    tmp_path: Path, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, real = FastClock(1), time.time
    async with serve_sandbox(SandboxSettings(duration=1.5, state=tmp_path / "sandbox"), steady.now) as server:
        home = House(tmp_path, server, Clock())
        home.drop("a.jsonl", ["one", "two"])
        async with at_work(home, poll__initial=0.4, poll__max=0.4, batch__linger=0.2):
            await until(home.accepted)
            monkeypatch.setattr(time, "time", lambda: real() + jump)
            home.drop("b.jsonl", ["later"])
        assert_done(home, "a", "b")
        polls = [call.at for call in server.ledger.calls if call.route == "retrieve"]
        assert 4 <= len(polls) <= 12


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("linger", [1.0, 1_000.0])
async def test_a_clock_that_jumped_between_two_runs_delays_and_expires_nothing(
    home: House, jump: float, linger: float
) -> None:
    """What lingers is on its way no later, what was submitted is asked after no later, and nothing is overdue."""
    home.drop("a.jsonl", ["one [sandbox: take 60]", "two"])
    so_far = home.accepted if linger == 1.0 else (home.outbox / "a" / "request.jsonl").exists
    await run_until(home, so_far, batch__linger=linger)
    assert len(home.accepted()) == (2 if linger == 1.0 else 0)
    home.clock = JumpedClock(home.clock, jump)
    assert await home.run(seconds=60)
    assert_done(home, "a")


# --- many files, lost events ------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(home: House, **changes: object) -> AsyncIterator[None]:
    """The daemon as it runs for ever; it is stopped at the end of the block."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve, home.settings(**changes), home.key, clock=home.clock))
        await until((home.state / DATABASE).exists)
        yield
        tasks.cancel_scope.cancel()


def finished(home: House, *names: str) -> bool:
    return all((home.outbox / name / "job.json").exists() for name in names)


@pytest.mark.parametrize("many", [100, pytest.param(3_000, marks=pytest.mark.slow)])
async def test_many_files_at_once_are_all_done_and_nothing_is_sent_twice(home: House, many: int) -> None:
    names = [f"{number}" for number in range(many)]
    for name in names:
        (home.inbox / f"{name}.md").write_text(f"What do bees eat on day {name}?")
    assert await home.run(seconds=300, batch__linger=40.0)
    assert finished(home, *names)
    assert sum(home.accepted().values()) == many
    home.assert_nothing_twice()


async def test_a_burst_of_events_that_the_kernel_drops_hides_no_file(home: House) -> None:
    async with running(home):
        for number in range(QUEUE // 2 + 1_000):  # two events each
            (home.inbox / f".{number}").touch()
        home.drop("a.jsonl", ["one"])
        await until(lambda: finished(home, "a"))


async def test_a_watcher_that_hears_nothing_delays_by_no_more_than_one_rescan(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_: object, **__: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr("batchd.dispatcher.task_tree.watch", deaf)
    async with running(home):
        await anyio.sleep(0.5)
        home.drop("a.jsonl", ["one"])
        await until(lambda: finished(home, "a"))


async def test_a_replaced_inbox_and_a_filled_folder_moved_in_are_seen(home: House) -> None:
    async with running(home):
        await until((home.state / "lock").exists)
        home.inbox.rename(home.place / "old")
        await anyio.sleep(0.3)
        home.inbox.mkdir()
        home.drop("a.jsonl", ["one"])
        await until(lambda: finished(home, "a"))
        filled_folder = home.place / "old" / "queue" / "deep"
        filled_folder.mkdir(parents=True)
        for number in range(3):
            (filled_folder / f"{number}.md").write_text(f"What do bees eat on day {number}?")
        (home.place / "old" / "queue").rename(home.inbox / "queue")
        await until(lambda: finished(home, *(f"queue/deep/{number}" for number in range(3))))


async def test_a_name_that_is_no_text_kills_no_watcher(home: House) -> None:
    async with running(home, intake__rescan=3_600.0):  # so that only the watcher brings news within this test
        await anyio.sleep(0.5)
        with open(os.path.join(os.fsencode(home.inbox), b"caf\xe9.md"), "wb") as file:  # noqa: ASYNC230, PTH118, PTH123
            file.write(b"What do bees eat in a caf\xc3\xa9?")
        await until(lambda: len(home.accepted()) == 1)
        home.drop("a.jsonl", ["one"])
        await until(lambda: finished(home, "a"))

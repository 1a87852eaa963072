"""One installation of batchd in a temporary folder, its API a sandbox: to be run, killed, run again, and inspected."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from batchd.app import serve
from batchd.edges.clock import Clock
from batchd.journey.intake import Intake
from batchd.sandbox import Fault, SandboxServer, SandboxSettings
from batchd.sandbox import serve as serve_sandbox
from batchd.settings import Settings, load_settings

KEY = "sk-ant-test-key"
SPEED = 40.0
NEVER = float(os.environ.get("TORTURE_NEVER", "300"))
"""Seconds after which what should come never will, on the busiest machine too."""


class FastClock(Clock):
    """A clock on which a minute lasts a second and a half."""

    def __init__(self, speed: float = SPEED) -> None:
        super().__init__()
        self._speed = speed
        self._began = time.monotonic()
        self._base = time.time()

    def now(self) -> float:
        return self._base + (time.monotonic() - self._began) * self._speed

    def jump(self, seconds: float) -> None:
        """Let so many seconds go by in which nothing runs."""
        self._base += seconds

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(max(seconds, 0) / self._speed)

    async def at_most(self, seconds: float, waiting: Callable[[], Awaitable[None]]) -> None:
        await super().at_most(seconds / self._speed, waiting)


class House:
    """Folders, settings, and the sandbox as judge."""

    def __init__(self, place: Path, server: SandboxServer, clock: Clock) -> None:
        self.place = place
        self.server = server
        self.clock = clock
        self.inbox, self.outbox, self.state = place / "inbox", place / "outbox", place / "state"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.key = KEY
        self.store = ""
        """The URL of its database; empty for the file in its state folder."""

    def settings(self, **changes: object) -> Settings:
        flags: dict[str, object] = {
            "inbox": str(self.inbox),
            "outbox": str(self.outbox),
            "state": str(self.state),
            "api": {"base_url": self.server.base_url, "requests_per_minute": 100_000, "doubt": 30.0},
            "intake": {"settle": 0.0, "duplicate_window": 0.0},
            "batch": {"linger": 2.0},
            "poll": {"initial": 2.0, "max": 20.0},
            "store": self.store,
        }
        for key, value in changes.items():
            table, _, name = key.partition("__")
            if name:
                held = flags.setdefault(table, {})
                assert isinstance(held, dict)
                held[name] = value
            else:
                flags[table] = value
        return load_settings(flags, None)

    def jump(self, seconds: float) -> None:
        """Let so many seconds go by in which nothing runs."""
        assert isinstance(self.clock, FastClock)
        self.clock.jump(seconds)

    def fault(self, route: str, kind: str, **more: Any) -> None:
        self.server.faults.add(Fault(route=route, kind=kind, **more))

    def drop(
        self, name: str, prompts: Iterable[str], model: str = "claude-haiku-4-5", max_tokens: int = 300, **more: object
    ) -> None:
        lines = (
            {
                "custom_id": f"r{n}",
                "params": {"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": prompt}]},
                **more,
            }
            for n, prompt in enumerate(prompts)
        )
        file = self.inbox / name
        file.parent.mkdir(parents=True, exist_ok=True)
        hidden = file.with_name(f".{file.name}.tmp")
        hidden.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        hidden.rename(file)

    async def run(self, *, seconds: float = NEVER, **changes: object) -> bool:
        """Run the daemon until nothing is left to do; real seconds at the most."""
        with anyio.fail_after(seconds):
            return await serve(self.settings(**changes), self.key, once=True, clock=self.clock)

    async def run_on(self, **changes: object) -> None:
        """Run the daemon until it is cancelled; real seconds at the most."""
        with anyio.fail_after(NEVER):
            await serve(self.settings(**changes), self.key, clock=self.clock)

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.outbox / name / "job.json").read_text("utf-8"))
        return found

    def lines(self, name: str, file: str = "results.jsonl") -> list[dict[str, Any]]:
        path = self.outbox / name / file
        return [json.loads(line) for line in path.read_bytes().split(b"\n") if line] if path.exists() else []

    def results(self, name: str) -> dict[str, str]:
        """The types of a job's results by custom_id; every one exactly once."""
        found = [(line["custom_id"], line["result"]["type"]) for line in self.lines(name)]
        assert len(found) == len(dict(found)), "a request has two final lines"
        return dict(found)

    def accepted(self) -> Counter[str]:
        """How often each request was taken by the API."""
        return self.server.ledger.accepted()

    def assert_nothing_of_messages_twice(self) -> None:
        """No message of the sync lane was sent again as it was."""
        digests = Counter(each.digest for each in self.server.ledger.messages())
        assert set(digests.values()) <= {1}, "a message was paid for twice"

    def assert_nothing_twice(self) -> None:
        assert set(self.accepted().values()) <= {1}, "a request was sent twice"
        assert set(self.server.ledger.billed().values()) <= {1}, "a request was paid for twice"


@asynccontextmanager
async def house(place: Path, *, speed: float = SPEED, **sandbox: Any) -> AsyncIterator[House]:
    """Open a house whose sandbox lives on the same fast clock."""
    clock = FastClock(speed)
    settings = SandboxSettings(**{"duration": 4.0, "state": place / "sandbox", **sandbox})
    async with serve_sandbox(settings, clock.now) as server:
        yield House(place, server, clock)


async def run_and_kill(home: House, seconds: float, **settings: object) -> None:
    """Run the real command in a process of its own, and end it with `kill -9` unless it has ended before."""
    async with command(home, once=True, **settings) as process:
        with anyio.move_on_after(seconds):
            await process.wait()


async def run_and_kill_when(home: House, fact: Callable[[], object], **settings: object) -> None:
    """Run the real command in a process of its own, and end it with `kill -9` as soon as something is so."""
    async with command(home, once=False, **settings) as process:
        await until(lambda: process.returncode is not None or fact())
        assert process.returncode is None, "it does not end by itself"


@asynccontextmanager
async def command(home: House, *, once: bool, **settings: object) -> AsyncIterator[Process]:
    """Run the real command for as long as the block lasts, on the clock of this world; its end is `kill -9`."""
    places = {"inbox": home.inbox, "outbox": home.outbox, "state": home.state, "api.base_url": home.server.base_url}
    places |= {"store": home.store} if home.store else {}
    wishes = {
        **places,
        "intake.settle": 0,
        "intake.duplicate_window": 0,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    flags = [word for key, value in wishes.items() for word in ("--set", f"{key}={value}")]
    words = [sys.executable, "-m", "batchd", "run", *["--once"][: int(once)], "--quiet", *flags]
    environment = {**os.environ, "ANTHROPIC_API_KEY": home.key}
    async with await anyio.open_process(words, env=environment, stdout=None, stderr=None) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


@asynccontextmanager
async def at_work(home: House, **changes: object) -> AsyncIterator[None]:
    """Within the block the daemon works, also while nothing is left to do; behind it, everything is done."""
    over = False
    has_files = Intake.has_files

    async def something_may_come(intake: Intake) -> bool:
        return not over or await has_files(intake)

    with pytest.MonkeyPatch.context() as patch:
        # `run --once` ends with the last file: that of a test that has not dropped it yet is one of them.
        patch.setattr(Intake, "has_files", something_may_come)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(home.run, seconds=NEVER, **changes))
            yield
            over = True


async def until(fact: Callable[[], object]) -> None:
    """Wait until something is so; on a busy machine, too, not within `NEVER` seconds means never."""
    with anyio.fail_after(NEVER):
        while not fact():  # noqa: ASYNC110  another program's state
            await anyio.sleep(0.02)


async def run_until(home: House, fact: Callable[[], object], **changes: object) -> None:
    """Run the daemon, and end it as soon as something is so."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(home.run_on, **changes))
        await until(fact)
        tasks.cancel_scope.cancel()

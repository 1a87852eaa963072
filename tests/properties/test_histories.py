"""Any history of drops, kills, restarts, faults, cancels and retries ends with every promise kept.

The whole daemon runs: real files, real SQLite, real HTTP, and a clock on which a minute lasts a second and a half. It
runs only while a rule does, in an event loop that the machine turns. A kill here is a cancellation at whatever it was
waiting for; that of the whole process is in `tests/faults`.
"""

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from batchd.app import serve
from batchd.edges.store import DATABASE, open_store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from tests.support.house import House, house

ORDERS = (
    "",
    "",
    "",
    "[sandbox: fail overloaded_error 1]",
    "[sandbox: take 20]",
    "[sandbox: truncate]",
    "[sandbox: refuse]",
)
FAULTS = (
    ("create", "reset"),
    ("create", "close"),
    ("create", "half"),
    ("create", "unlisted"),
    ("retrieve", "close"),
    ("list", "close"),
    ("results", "cut"),
    ("results", "missing"),
    ("results", "malformed"),
    ("results", "close"),
    ("cancel", "close"),
)
PATIENCE = 60.0
"""Real seconds in which a history must come to its end."""


class Histories(RuleBasedStateMachine):
    """One installation, and somebody who does everything to it."""

    jobs: Bundle[str] = Bundle("jobs")

    @initialize()
    def open(self) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(60 - 10))
        self.place = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.opened: asyncio.Event = asyncio.Event()
        self.closing: asyncio.Event = asyncio.Event()
        self.loop = self.runner.get_loop()
        self.stage = self.loop.create_task(self._stage())
        self.daemon: asyncio.Task[bool] | None = None
        self.dropped: dict[str, int] = {}
        self.touched: set[str] = set()
        self.run(self.opened.wait())
        self.start()

    async def _stage(self) -> None:
        async with house(Path(self.place.name), duration=2.0) as self.home:
            self.opened.set()
            await self.closing.wait()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @property
    def running(self) -> bool:
        return self.daemon is not None and not self.daemon.done()

    @rule()
    def start(self) -> None:
        if not self.running:
            home: House = self.home
            self.daemon = self.loop.create_task(serve(home.settings(batch__linger=0.5), home.key, clock=home.clock))
            self.run(asyncio.sleep(0.05))

    @rule()
    def kill(self) -> None:
        if self.daemon is not None and not self.daemon.done():
            self.daemon.cancel()
            self.run(_ended(self.daemon))

    @rule(hundredths=st.integers(1, 60))
    def wait(self, hundredths: int) -> None:
        self.run(asyncio.sleep(hundredths / 100))

    @rule(target=jobs, orders=st.lists(st.sampled_from(ORDERS), min_size=1, max_size=4))
    def drop(self, orders: list[str]) -> str:
        name = f"job{len(self.dropped)}"
        self.home.drop(f"{name}.jsonl", [f"{name} {n} {order}" for n, order in enumerate(orders)])
        self.dropped[name] = len(orders)
        return name

    @rule()
    def drop_nonsense(self) -> None:
        self.home.inbox.joinpath(f"bad{len(list(self.home.inbox.iterdir()))}.json").write_text("{")

    @rule(fault=st.sampled_from(FAULTS))
    def fault(self, fault: tuple[str, str]) -> None:
        route, kind = fault
        self.home.fault(route, kind, seconds=5.0 if kind == "unlisted" else 0.0)

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        self.run(self._wish(job, "cancel"))

    @rule(job=consumes(jobs))
    def retry(self, job: str) -> None:
        self.run(self._wish(job, "retry"))

    async def _wish(self, name: str, what: str) -> None:
        database = self.home.state / DATABASE
        if not database.exists():
            return
        async with open_store(database) as store:
            job = await store.jobs.named(name)
            if job is None or (what == "retry") != job.delivered:
                return
            if what == "cancel":
                await store.jobs.cancel(job.id)
            elif (await store.retries.preview(job.id)).on:
                await store.retries.want(job.id)
            else:
                return
            self.touched.add(name)

    def teardown(self) -> None:
        try:
            if hasattr(self, "home"):
                self._finish()
        finally:
            if hasattr(self, "closing"):
                self.closing.set()
                self.run(_ended(self.stage))
                self.runner.close()
                self.place.cleanup()

    def _finish(self) -> None:
        self.kill()
        self.home.server.faults.clear()
        self.run(self.home.run(seconds=PATIENCE, batch__linger=0.5))
        home = self.home
        assert not os.listdir(home.inbox)  # noqa: PTH208  names alone
        for name, count in self.dropped.items():
            job = home.job(name)
            found = home.results(name)
            verdicts = {row["custom_id"]: row["verdict"] for row in home.lines(name, "report.jsonl")}
            assert len(verdicts) == count == job["requests"]["total"]
            assert sum(value for key, value in job["requests"].items() if key != "total") == count
            unsent = {each for each, verdict in verdicts.items() if each not in found}
            assert name in self.touched or not unsent
            for each, verdict in verdicts.items():
                assert (verdict in {"complete", "truncated", "refused"}) == (found.get(each) == "succeeded")
        assert max(home.server.ledger.billed().values(), default=0) <= 1, "a request was paid for twice"
        usage = [home.job(name)["usage"]["output_tokens"] for name in self.dropped]
        assert sum(usage) == home.server.ledger.usage()["output_tokens"], "what was charged is not what was delivered"


async def _ended(task: "asyncio.Task[Any]") -> None:
    with suppress(asyncio.CancelledError):
        await task


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

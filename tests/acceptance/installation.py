"""batchd as a user has it: a folder, and a command."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.surroundings import environment

QUICK = {
    "BATCHD_INTAKE__SETTLE": "0.1",
    "BATCHD_BATCH__LINGER": "0.1",
    "BATCHD_POLL__INITIAL": "0.3",
    "BATCHD_INTAKE__DUPLICATE_WINDOW": "0",
}
SOON = 120.0
"""Seconds after which something that should come to pass never will, on a busy machine too."""


class Installation:
    """A folder in which somebody works with batchd, as a user does: through the command."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.inbox, self.outbox, self.state = home / "inbox", home / "outbox", home / ".batchd"
        self.running: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.home, QUICK)

    def drop(self, name: str, text: str) -> None:
        self.inbox.mkdir(exist_ok=True)
        final = self.inbox / name
        hidden = final.with_name(f".{final.name}.part")
        hidden.write_text(text)
        hidden.rename(final)

    def call(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "batchd", *words, **more)

    def python(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.home,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        with (self.home / ".log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "batchd", *words],
                cwd=self.home,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.running.append(process)
        return process

    def stop(self, process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGTERM)
        return process.wait(SOON)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def status(self, *words: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.call("status", "--json", *words).stdout)
        return shown

    def wait_until(self, fact: Callable[[], object]) -> None:
        until = time.monotonic() + SOON
        while not fact():
            assert time.monotonic() < until, "it did not come to pass"
            time.sleep(0.1)

    def job(self, name: str) -> dict[str, Any]:
        self.wait_until((self.outbox / name / "job.json").exists)
        summary: dict[str, Any] = json.loads((self.outbox / name / "job.json").read_text())
        return summary

    def wait_until_sent(self) -> None:
        self.wait_until_running()
        # It is made before its tables are.
        self.wait_until(lambda: self.sql("SELECT 1 FROM sqlite_master WHERE name = 'batches'"))
        self.wait_until(lambda: self.sql("SELECT 1 FROM batches WHERE state = 'processing'"))

    def wait_until_running(self) -> None:
        self.wait_until((self.state / "batchd.sqlite").exists)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.state / "batchd.sqlite", isolation_level=None)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

"""A job of many requests, as a process: from ready to its acceptance, and to the first byte of its create.

All of it lies in the inbox when the daemon starts. Beside it stands what any program must do with that file at least:
read it, and decode each line with `json.loads`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from benchmarks._measure import SPAWN
from benchmarks._report import MB, middle, number, table, times, wants_full
from benchmarks._servers import KEY
from benchmarks.event_loop import many_requests

REQUESTS = 100_000
PATIENCE = 120.0
_SETTINGS = {
    "api.requests_per_minute": 100_000,
    "batch.max_requests": 100_000,
    "intake.settle": 0.05,
    "batch.linger": 0.05,
}


class Run(NamedTuple):
    """Seconds from ready to what came."""

    accepted: float
    first_byte: float


def first_byte_of_a_create(parent: Connection) -> None:
    """Serve an API without batches that tells when the first byte of a create has come, and never answers it."""

    class Waiting(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = b'{"data": [], "has_more": false}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(1)
            parent.send(time.time())
            time.sleep(PATIENCE)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Waiting) as server:
        server.daemon_threads = True
        parent.send(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()


def batchd(file: Path, place: Path) -> Run:
    """Run the daemon until its create has begun."""
    (place / "inbox").mkdir()
    os.link(file, place / "inbox" / file.name)
    here, there = SPAWN.Pipe()
    server = SPAWN.Process(target=first_byte_of_a_create, args=(there,), daemon=True)
    server.start()
    url = str(here.recv())
    places = {name: place / name for name in ("inbox", "outbox", "state")}
    flags = [part for name, value in {**places, **_SETTINGS}.items() for part in ("--set", f"{name}={value}")]
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
    with (place / "log").open("wb") as log:
        daemon = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "batchd", "run", *flags], env=environment, stdout=subprocess.DEVNULL, stderr=log
        )
    try:
        if not here.poll(PATIENCE):
            raise AssertionError((place / "log").read_text())
        began = float(here.recv())
    finally:
        for process in (daemon, server):
            process.kill()
        daemon.wait()
        server.join()
    ready, accepted = (_moment(place / "log", event) for event in ("event=ready", 'event="job accepted"'))
    return Run(accepted - ready, began - ready)


def _moment(log: Path, event: str) -> float:
    line = next(line for line in log.read_text("utf-8").splitlines() if event in line)
    return datetime.fromisoformat(line.split()[0].removeprefix("timestamp=")).timestamp()


def least(file: Path) -> float:
    """Seconds of reading a file and decoding its lines."""
    began = time.perf_counter()
    with file.open("rb") as lines:
        for line in lines:
            json.loads(line)
    return time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    runs = 5 if wants_full(__doc__) else 1
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "large.jsonl")
        with file.open("wb") as whole:
            whole.writelines(many_requests(REQUESTS))
            size = whole.tell()
        found, bare = [], []
        for number_ in range(runs):
            (place := Path(folder, str(number_))).mkdir()
            found.append(batchd(file, place))
            bare.append(least(file))
    base = middle(bare)
    rows = [
        (what, number(seconds, 2), number(REQUESTS / seconds), times(seconds / base))
        for what, seconds in (
            ("from ready to accepted", middle([run.accepted for run in found])),
            ("from ready to the first byte of the create", middle([run.first_byte for run in found])),
            ("read, and json.loads of each line", base),
        )
    ]
    table(f"A job of {REQUESTS:,} requests, {size / MB:,.0f} MB", ("what", "seconds", "requests/s", "time taken"), rows)


if __name__ == "__main__":
    main()

"""The other end of the wire, always in a process of its own: the sandbox, and a server that can be no bottleneck."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
from batchd.sandbox import SandboxSettings
from batchd.sandbox import serve as serve_sandbox

from benchmarks._measure import SPAWN, hush

KEY = "sk-bench"
BATCH = "msgbatch_bench"
_COUNTS = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}
_PIECE = 1 << 18


@contextmanager
def sandbox(place: Path) -> Iterator[str]:
    """Run the sandbox.

    Args:
        place: A folder for what it is sent.

    Yields:
        Its base URL.
    """
    with _running(_sandbox, place) as url:
        yield url


@contextmanager
def plain(results: Path) -> Iterator[str]:
    """Run a server of one ended batch: it swallows whatever is created, and its results are a file.

    Args:
        results: The file.

    Yields:
        Its base URL.
    """
    with _running(_plain, results) as url:
        yield url


@contextmanager
def _running(serve: Callable[[Connection, Path], None], place: Path) -> Iterator[str]:
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(there, place), daemon=True)
    process.start()
    try:
        yield str(here.recv())
    finally:
        process.terminate()
        process.join()


def _sandbox(parent: Connection, place: Path) -> None:
    async def serve() -> None:
        async with serve_sandbox(SandboxSettings(state=place, duration=0.0)) as server:
            parent.send(server.base_url)
            await asyncio.Event().wait()

    hush()
    asyncio.run(serve())


def _plain(parent: Connection, results: Path) -> None:
    class Plain(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.endswith("/results"):
                self._show()
                return
            self._begin("application/x-jsonl", results.stat().st_size)
            with results.open("rb") as file:
                self.connection.sendfile(file)

        def do_POST(self) -> None:
            left = int(self.headers["content-length"])
            while left and (piece := self.rfile.read(min(left, _PIECE))):
                left -= len(piece)
            self._show()

        def _show(self) -> None:
            url = f"http://{self.headers['host']}/v1/messages/batches/{BATCH}/results"
            body = msgspec.json.encode(
                {
                    "id": BATCH,
                    "type": "message_batch",
                    "processing_status": "ended",
                    "request_counts": _COUNTS,
                    "created_at": "2026-11-22T00:00:00Z",
                    "expires_at": "2026-11-23T00:00:00Z",
                    "results_url": url,
                }
            )
            self._begin("application/json", len(body))
            self.wfile.write(body)

        def _begin(self, kind: str, length: int) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Plain) as server:
        parent.send(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()

"""The other end of the wire, always in a process of its own: the sandbox, and a server that can be no bottleneck."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
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
_CUSTOM_ID = re.compile(rb'"custom_id":\s*"([^"\\]*)"')
SENTENCE = 'Every later version depends on "the evidence at hand", as the next part shows \u2014 and nothing more.\n\n'


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
def answering(place: Path, size: int) -> Iterator[str]:
    """Run a server whose batches end at once, with answers that lie ready in files and are sent by the kernel.

    Args:
        place: A folder for them, and for `asked`: the Unix seconds at which results were first asked for.
        size: Bytes of text in each answer.

    Yields:
        Its base URL.
    """
    with _running(partial(_answering, size=size), place) as url:
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
    class Plain(_Quiet):
        def do_GET(self) -> None:
            if self.path.endswith("/results"):
                self.send_file(results)
            else:
                self._show()

        def do_POST(self) -> None:
            left = int(self.headers["content-length"])
            while left and (piece := self.rfile.read(min(left, _PIECE))):
                left -= len(piece)
            self._show()

        def _show(self) -> None:
            self.tell(_ended(BATCH, self.address, _COUNTS["succeeded"]))

    _serve(Plain, parent)


def _answering(parent: Connection, place: Path, *, size: int) -> None:
    counts: list[int] = []

    class Answering(_Quiet):
        def do_POST(self) -> None:
            ids = _CUSTOM_ID.findall(self.rfile.read(int(self.headers["content-length"])))
            write_results(place / str(len(counts)), ids, size)
            counts.append(len(ids))
            self._tell_of(len(counts) - 1)

        def do_GET(self) -> None:
            *_, batch, last = self.path.partition("?")[0].split("/")
            if last == "results":
                with suppress(FileExistsError), (place / "asked").open("x") as asked:
                    asked.write(str(time.time()))
                self.send_file(place / batch.removeprefix(f"{BATCH}_"))
            elif last == "batches":
                self.tell({"data": [], "has_more": False})
            else:
                self._tell_of(int(last.removeprefix(f"{BATCH}_")))

        def _tell_of(self, number: int) -> None:
            self.tell(_ended(f"{BATCH}_{number}", self.address, counts[number]))

    _serve(Answering, parent)


class _Quiet(BaseHTTPRequestHandler):
    """Answers without a word in any log."""

    protocol_version = "HTTP/1.1"

    @property
    def address(self) -> str:
        """Of this server, as the caller knows it."""
        return f"http://{self.headers['host']}"

    def tell(self, value: object) -> None:
        """Answer with JSON."""
        body = msgspec.json.encode(value)
        self._begin("application/json", len(body))
        self.wfile.write(body)

    def send_file(self, results: Path) -> None:
        """Answer with a file, which the kernel sends."""
        self._begin("application/x-jsonl", results.stat().st_size)
        with results.open("rb") as file:
            self.connection.sendfile(file)

    def _begin(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _ended(batch: str, address: str, count: int) -> dict[str, object]:
    return {
        "id": batch,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": _COUNTS | {"succeeded": count},
        "created_at": "2026-11-22T00:00:00Z",
        "expires_at": "2026-11-23T00:00:00Z",
        "results_url": f"{address}/v1/messages/batches/{batch}/results",
    }


def write_results(file: Path, ids: Iterable[bytes], size: int) -> None:
    """Make a result file such as the API sends.

    Args:
        file: Where.
        ids: The custom_id of each line.
        size: Bytes of text in each.
    """
    text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
    message = {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 900, "output_tokens": size // 4, "service_tier": "batch"},
    }
    result = msgspec.json.encode({"type": "succeeded", "message": message})
    with file.open("wb") as whole:
        for custom_id in ids:
            whole.write(b'{"custom_id":"%b","result":%b}\n' % (custom_id, result))


def _serve(handler: type[_Quiet], parent: Connection) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        parent.send(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()

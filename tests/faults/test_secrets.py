"""Keys, prompts and answers are nobody else's: not in logs at any level, in what is shown, in the database; nor abroad.

The daemon is the real process, which is told to log all it can.
"""

import json
import math
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from anyio import to_thread
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.errors import BatchdError, Unusable
from batchd.model import RemoteId
from batchd.settings import find_api_key

from tests.support.house import NEVER, House
from tests.support.page import served
from tests.support.surroundings import environment

pytestmark = pytest.mark.anyio

KEY = "sk-ant-canary-key-7e1f"
PROMPT, SYSTEM, NAME = "canary-prompt-51c2", "canary-system-9a3d", "canary-id-c07b"
CANARIES = (KEY, PROMPT, SYSTEM, NAME)
LOOKS = """
import sys
from batchd.cli.commands import main
for words in ("status", "status --json", "status a", "status a --json", "doctor --offline", "check inbox"):
    sys.argv[1:] = words.split()
    main()
"""
"""Several commands, without the second that each of them takes to start."""
LOUD = {"ANTHROPIC_LOG": "debug", "HTTPX_LOG_LEVEL": "trace", "PYTHONASYNCIODEBUG": "1"}


@dataclass
class Command:
    """The command as a user has it, in the house."""

    house: Path
    base_url: str
    key: Mapping[str, str] = field(default_factory=lambda: {"ANTHROPIC_API_KEY": KEY})

    def _environment(self) -> dict[str, str]:
        settings = {
            "BATCHD_API__BASE_URL": self.base_url,
            "BATCHD_API__REQUESTS_PER_MINUTE": "6000",
            "BATCHD_INTAKE__SETTLE": "0",
            "BATCHD_BATCH__LINGER": "0",
            "BATCHD_POLL__INITIAL": "0.2",
            "BATCHD_STATE": "state",
        }
        return environment(self.house, {**LOUD, **settings, **self.key})

    def start(self, *words: str, umask: int = 0) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "batchd", *words],
            cwd=self.house,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            umask=umask,
        )

    def said(self, *words: str) -> tuple[int, str]:
        """Run it to its end."""
        process = self.start(*words)
        text, _ = process.communicate(timeout=NEVER)
        return process.returncode, text

    def shown(self) -> str:
        """All that the commands which look tell."""
        done = subprocess.run(
            [sys.executable, "-c", LOOKS],
            cwd=self.house,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout + done.stderr


@contextmanager
def stopped_at_end(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=NEVER)


def drop(place: Path, *directives: str) -> None:
    lines = (
        {
            "custom_id": f"{NAME}-{number}",
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 300,
                "system": f"{SYSTEM}: be brief.",
                "messages": [{"role": "user", "content": f"{PROMPT}: what do bees eat? {directive}"}],
            },
        }
        for number, directive in enumerate(directives or ("",))
    )
    (place / "inbox").mkdir(exist_ok=True)
    (place / "inbox" / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def seen_on_the_page(place: Path) -> str:
    """All that the page shows as long as nothing more is set."""
    views = ("/", "/jobs", "/jobs/1", "/batches", "/costs")
    with served(place, state="state") as visit:
        return "".join(visit(path).text for view in views for path in ({view, f"{view}.json"} - {"/.json"}))


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


# --- what is shown ----------------------------------------------------------------------------------------------------


async def test_what_a_caution_quotes_is_in_no_log(home: House) -> None:
    (home.inbox / "a.md").write_text(f"---\nmodel: claude-{SYSTEM}\n---\nLook: ![]({PROMPT}.png)\n")
    command = Command(home.place, home.server.base_url)
    checked = await to_thread.run_sync(command.said, "check", "inbox/a.md")
    assert PROMPT in checked[1], "whoever asks is told"
    _, log = await to_thread.run_sync(command.said, "run", "--once", "--verbose")
    assert "event=cautions" in log
    assert [canary for canary in CANARIES if canary in log] == []


async def test_logs_at_every_level_and_what_is_shown_hold_no_key_prompt_or_answer(home: House) -> None:
    for route, kind in (("create", "garbled"), ("retrieve", "garbled"), ("results", "cut")):
        home.fault(route, kind)
    drop(home.place, "", "[sandbox: fail invalid_request_error 9]", "[sandbox: truncate]", "[sandbox: refuse]")
    command = Command(home.place, home.server.base_url)
    code, log = await to_thread.run_sync(command.said, "run", "--once", "--verbose")
    assert code == 1, log
    assert "batch submitted" in log
    answers = [path.read_text("utf-8") for path in (home.outbox / "a" / "documents").glob("*")]
    assert len(answers) == 2
    canaries = (*CANARIES, *(answer.strip()[:30] for answer in answers))
    for text in (log, await to_thread.run_sync(command.shown)):
        assert [canary for canary in canaries if canary in text] == []
    page = await to_thread.run_sync(seen_on_the_page, home.place)
    assert [canary for canary in canaries if canary in page] == [NAME], "what a user calls a request"
    database = b"".join(path.read_bytes() for path in home.state.glob("batchd.sqlite*"))
    assert [canary for canary in canaries if canary.encode() in database] == [NAME]
    assert [path for path in files(home.state, home.outbox) if KEY.encode() in path.read_bytes()] == []


@dataclass
class Seen:
    """A call that came to a server of ours."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Server:
    url: str
    seen: list[Seen] = field(default_factory=list)


@contextmanager
def listening(answer: Callable[[Seen], Answer]) -> Iterator[Server]:
    """A server that answers as it is told, and remembers what came."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            seen = Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            server.seen.append(seen)
            said = answer(seen)
            self.send_response(said.status)
            for name, value in {**said.headers, "content-length": str(len(said.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = _answer  # noqa: N815  the base class looks for these

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server = Server(f"http://127.0.0.1:{listener.server_address[1]}")
        thread = Thread(target=listener.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


def error(status: int, kind: str, message: str) -> Answer:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return Answer(status, json.dumps(body).encode(), {"content-type": "application/json"})


def repeating(status: int, *, creates_only: bool) -> Callable[[Seen], Answer]:
    """An API, or a gateway before it, that repeats in its errors what it was sent."""

    def answer(seen: Seen) -> Answer:
        if creates_only and seen.method == "GET":
            return Answer(200, b'{"data":[],"has_more":false}', {"content-type": "application/json"})
        said = f"{KEY} may not say {seen.body.decode()} {PROMPT}"
        return error(status, f"no_{PROMPT}_please", said)

    return answer


@pytest.mark.parametrize(
    ("status", "creates_only"),
    [(400, True), (400, False), (401, False), pytest.param(500, False, marks=pytest.mark.slow)],
)
def test_what_the_api_repeats_in_its_errors_is_not_repeated_again(
    tmp_path: Path, status: int, *, creates_only: bool
) -> None:
    drop(tmp_path)
    with listening(repeating(status, creates_only=creates_only)) as server:
        command = Command(tmp_path, server.url)
        with stopped_at_end(command.start("run", "--verbose")) as process:
            wait_until(lambda: told_of_trouble(tmp_path), "trouble")
            shown, page = command.shown(), seen_on_the_page(tmp_path)
            process.send_signal(signal.SIGTERM)
            log, _ = process.communicate(timeout=NEVER)
        assert any(PROMPT in seen.body.decode() for seen in server.seen) == creates_only
    assert [canary for canary in CANARIES if canary in log + shown] == []
    assert [canary for canary in CANARIES if canary in page] == [NAME]
    assert "the API" in page, "the trouble itself is told"


def told_of_trouble(place: Path) -> bool:
    """Whether the daemon has given up its first attempt."""
    if not (place / "state" / "batchd.sqlite").exists():
        return False
    database = sqlite3.connect(place / "state" / "batchd.sqlite")
    try:
        return bool(database.execute("SELECT 1 FROM batches WHERE trouble IS NOT NULL").fetchone())
    except sqlite3.OperationalError:
        return False  # it is just being made
    finally:
        database.close()


def wait_until(fact: Callable[[], object], what: str) -> None:
    until = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < until, f"no {what}"
        time.sleep(0.05)


NO_KEYS = ("sk-ant-canary\nsecond line", "sk-ant-canary-\u0448", "sk-ant canary")


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_cannot_be_a_key_is_refused_without_being_shown(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    with pytest.raises(Unusable, match="cannot be a key") as in_environment:
        find_api_key()
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "anthropic-api-key").write_text(key, "utf-8")
    with pytest.raises(Unusable, match="cannot be a key") as in_file:
        find_api_key()
    assert "canary" not in f"{in_environment.value} {in_file.value}"


def test_a_key_that_is_none_is_complained_of_in_a_line(tmp_path: Path) -> None:
    command = Command(tmp_path, "http://127.0.0.1:9", {"ANTHROPIC_API_KEY": NO_KEYS[0]})
    code, said = command.said("run", "--once")
    assert code == 2
    assert "$ANTHROPIC_API_KEY" in said
    assert len(said.splitlines()) == 1
    assert "canary" not in said + command.shown()


# --- the process and its files ----------------------------------------------------------------------------------------


async def test_a_key_from_the_credentials_folder_is_in_no_listing_and_no_core_file(home: House) -> None:
    (home.place / "credentials").mkdir()
    (home.place / "credentials" / "anthropic-api-key").write_text(f"{KEY}\n")
    drop(home.place, "[sandbox: never]")
    command = Command(home.place, home.server.base_url, {"CREDENTIALS_DIRECTORY": str(home.place / "credentials")})
    with stopped_at_end(command.start("run")) as process:
        await to_thread.run_sync(wait_until, home.accepted, "batch")
        proc = Path("/proc", str(process.pid))
        assert KEY.encode() not in (proc / "environ").read_bytes() + (proc / "cmdline").read_bytes()
        limits = (proc / "limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


async def test_what_is_written_is_private_whatever_the_umask(home: House) -> None:
    home.drop("a.jsonl", ["one", "[sandbox: truncate] two"])
    (home.inbox / "broken.json").write_text("{")
    command = Command(home.place, home.server.base_url)
    with stopped_at_end(command.start("run", umask=0)):
        await to_thread.run_sync(wait_until, (home.outbox / "a" / "job.json").exists, "job")
        found = {path: mode(path) for root in (home.state, home.outbox) for path in (root, *root.rglob("*"))}
    assert {"batchd.sqlite-wal", "lock", "job.json", "results.jsonl", "documents"} <= {path.name for path in found}
    as_dropped = {"request.jsonl", "broken.json"}  # within private folders
    assert [path for path, rights in found.items() if rights & 0o077 and path.name not in as_dropped] == []


async def test_a_state_folder_that_others_can_read_is_closed_to_them(home: House) -> None:
    home.state.mkdir(mode=0o755)
    home.state.chmod(0o755)
    home.drop("a.jsonl", ["one"])
    assert await home.run()
    assert mode(home.state) == 0o700
    home.state.chmod(0o750)
    assert await home.run()
    assert mode(home.state) == 0o700


def test_a_folder_with_other_things_in_it_is_not_taken_for_the_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    (state / "thesis.tex").touch()
    code, said = Command(tmp_path, "http://127.0.0.1:9").said("run", "--once")
    assert code == 2
    assert said.count("\n") == 1
    assert f"chmod 700 {state.name}" in said
    assert mode(state) == 0o755


# --- abroad -----------------------------------------------------------------------------------------------------------


async def body() -> AsyncIterator[bytes]:
    yield b'{"requests":[]}'


async def create(api: Api) -> None:
    pieces: AsyncIterable[bytes] = body()
    await api.create(pieces, len(b'{"requests":[]}'), (), deadline=math.inf)


async def results(api: Api) -> None:
    async with api.results(RemoteId("msgbatch_1"), None) as pieces:
        async for _ in pieces:
            pass


async def retrieve(api: Api) -> None:
    await api.retrieve(RemoteId("msgbatch_1"))


async def look(api: Api) -> None:
    await api.page(limit=1)


async def cancel(api: Api) -> None:
    await api.cancel(RemoteId("msgbatch_1"))


async def models(api: Api) -> None:
    await api.models()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_route_follows_a_redirect_so_the_key_stays_with_its_origin(status: int) -> None:
    with listening(lambda _: Answer(200, b"{}")) as elsewhere:

        def away(seen: Seen) -> Answer:
            return Answer(status, b"", {"location": f"{elsewhere.url}{seen.path}"})

        with listening(away) as server:
            async with Api.connect(key=KEY, base_url=server.url, per_minute=100, patience=5, clock=Clock()) as api:
                for call in (create, results, retrieve, look, cancel, models):
                    with pytest.raises(BatchdError) as caught:
                        await call(api)
                    assert KEY not in str(caught.value)
            assert len(server.seen) == 6
            assert all(KEY in str(seen.headers) for seen in server.seen)
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{other}/results",
        "//127.0.0.1:{other}/results",
        "http://localhost:{own}/results",
        "http://127.0.0.1:{own}@127.0.0.1:{other}/results",
        "http:\\\\127.0.0.1:{other}/results",
        "https://127.0.0.1:{own}/results",
        "\thttp://127.0.0.1:{other}/results",
        "file:///etc/passwd",
        "http://[::ffff:127.0.0.1]:{other}/results",
        "http://127.0.0.1:{other}",
        "http://[",
    ],
)
async def test_results_are_fetched_from_our_own_origin_whatever_the_api_calls_their_place(url: str) -> None:
    with (
        listening(lambda _: Answer(200, b"theirs\n")) as elsewhere,
        listening(lambda _: Answer(200, b"ours\n")) as server,
    ):
        own, other = (each.url.rpartition(":")[2] for each in (server, elsewhere))
        async with (
            Api.connect(key=KEY, base_url=server.url, per_minute=100, patience=5, clock=Clock()) as api,
            api.results(RemoteId("msgbatch_1"), url.format(own=own, other=other)) as pieces,
        ):
            assert b"".join([piece async for piece in pieces]) == b"ours\n"
        assert [seen.headers["host"] for seen in server.seen] == [f"127.0.0.1:{own}"]
    assert elsewhere.seen == []

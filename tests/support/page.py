"""An installation that is worth looking at: jobs of every kind, made by a rehearsal, with marks in what was asked."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlencode

import uvicorn
from batchd.page.app import application
from batchd.page.listening import listening
from batchd.settings import Page, Settings

from tests.acceptance.installation import Installation

ASKED: Final = "ZEPHYRASKED"
"""Stands in every prompt."""
ANSWERED: Final = "ZEPHYRANSWERED"
"""Stands in every answer of `legal/contracts`."""

_INSTRUCTIONS = f"""---
model: claude-haiku-5-5
max_tokens: 200
---
{ASKED}: in a word, what is this ticket about?

{{{{ text }}}}
"""


def _line(number: int, orders: str) -> str:
    text = f"{ASKED}: summarize clause {number}. [sandbox: {orders}]"
    params = {"model": "claude-sonnet-5-5", "max_tokens": 300, "messages": [{"role": "user", "content": text}]}
    return json.dumps({"custom_id": f"clause {number} <b>x</b>", "params": params})


def build(home: Path) -> None:
    """Make it: everything has come to its end but a job that a budget holds, and one that is at the API for ever."""
    with Installation(home) as made:
        (home / "inbox" / "legal").mkdir(parents=True)
        (home / "inbox" / "support").mkdir()
        made.drop("support/.batchd.md", _INSTRUCTIONS)
        rows = "".join(f"{n},The printer on floor {n} says {ASKED}\n" for n in range(1, 13))
        made.drop("support/tickets.csv", f"id,text\n{rows}")
        orders = [f"answer {ANSWERED} {n}" for n in range(1, 8)]
        orders += ["refuse", "truncate at 20", "fail invalid_request_error 9"]
        made.drop("legal/contracts.jsonl", "\n".join(_line(n, each) for n, each in enumerate(orders, 1)) + "\n")
        made.drop("notes.txt", f"{ASKED}: write a note about bees. [sandbox: words 60]")
        made.drop("dear.md", f"---\nbudget: 0.0001\n---\n{ASKED}: write a whole book.\n")
        made.drop("bad.jsonl", json.dumps({"custom_id": "a", "params": {"model": ASKED, "max_tokens": -1}}) + "\n")
        process = made.start("run", "--sandbox")
        for name in ("support/tickets", "legal/contracts", "notes"):
            made.job(name)
        made.drop("slow.md", f"{ASKED}: take your time. [sandbox: never]")
        made.wait_until_sent()
        made.wait_until(lambda: made.sql("SELECT 1 FROM jobs WHERE hold IS NOT NULL"))
        made.wait_until(list((home / "outbox" / "rejected").glob("*.errors.json")).__len__)
        made.stop(process)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a visitor gets."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.found |= {value for name, value in attrs if name in {"href", "src", "action"} and value}


def links(text: str) -> set[str]:
    parser = Links()
    parser.feed(text)
    return parser.found


class Visit:
    """The page, as somebody who can send any headers sees it."""

    def __init__(self, place: str | Path) -> None:
        self.place = place
        """`HOST:PORT`, or the path of a socket."""

    def __call__(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        connection = HTTPConnection("localhost" if isinstance(self.place, Path) else self.place, timeout=60)
        if isinstance(self.place, Path):
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.place))
        try:
            connection.request(method, path, body, {name.replace("_", "-"): said for name, said in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def post(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Send a form as a browser does that shows the page."""
        told = {"sec_fetch_site": "same-origin", "content_type": "application/x-www-form-urlencoded", **headers}
        return self(path, "POST", urlencode(fields or {}).encode(), **told)


@contextmanager
def served(home: Path, store: str = "", state: str = ".batchd", **page: Any) -> Iterator[Visit]:
    """The page of an installation, on a socket of its own.

    Args:
        store: Of PostgreSQL, where the installation has its rows there.
        state: The name of the folder of its state.
        page: Settings of `[page]`.
    """
    page = {"listen": "127.0.0.1:0", **page}
    places = (home / "inbox", home / "outbox", home / state)
    settings = Settings(*places, store=store, page=Page(**page))
    flags = [f"--{name}={folder}" for name, folder in zip(("inbox", "outbox", "state"), places, strict=True)]
    flags += ["--set", f"store={store}"] if store else []
    where = listening(settings.page.listen)
    bound = where.bind()
    server = uvicorn.Server(uvicorn.Config(application(settings, flags), log_config=None, timeout_graceful_shutdown=1))
    thread = Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield Visit(where.path or f"127.0.0.1:{bound.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()
        bound.close()

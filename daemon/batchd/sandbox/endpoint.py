"""What all routes share: the sandbox's parts in one place, and the way of a call through them."""

import tempfile
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import ParamSpec, TypeVar

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchd.sandbox import errors
from batchd.sandbox.admission import Admission, key_of
from batchd.sandbox.answer import name
from batchd.sandbox.database import DatabaseClosed
from batchd.sandbox.errors import ApiError
from batchd.sandbox.examiner import Examiner
from batchd.sandbox.faults import Fault, Faults
from batchd.sandbox.faults.injection import ASIDE, spoiled
from batchd.sandbox.ledger import Call, Ledger
from batchd.sandbox.receipts import Receipts
from batchd.sandbox.script import Script
from batchd.sandbox.settings import SandboxSettings
from batchd.sandbox.store import Book

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Sandbox:
    """The parts of one sandbox; it opens its book at once and has to be closed."""

    def __init__(self, settings: SandboxSettings, now: Callable[[], float], script: Script | None = None) -> None:
        """Put the parts together.

        Args:
            now: Unix seconds; everything that passes in time follows it.
            script: Of a test, which also gathers what is asked.
        """
        self.settings = settings
        self.script = script
        self.now = now
        self._temporary = None if settings.state else tempfile.TemporaryDirectory(prefix="batchd-sandbox-")
        self.book = Book(settings.state or Path(self._temporary.name if self._temporary else ""))
        self.examiner = Examiner(self.book.attempts(), settings.cache_hits)
        self.receipts = Receipts(self.book.database)
        self.ledger = Ledger(self.book, self.receipts, settings.seed, now)
        self.faults = Faults(settings.faults, now)
        self.admission = Admission(settings.api_key, settings.requests_per_minute, now)
        self._threads = anyio.CapacityLimiter(4)

    def workspace_of(self, request: Request) -> str | None:
        """Whose batches a call sees; None for everybody's."""
        return self.admission.workspace(key_of(request.headers)) if self.settings.workspaces else None

    def close(self) -> None:
        """Let go of the files; what has no folder of its own is gone with it."""
        self.book.close()
        if self._temporary:
            self._temporary.cleanup()

    async def aside(self, work: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """Do what takes more than a moment in a thread."""
        return await anyio.to_thread.run_sync(lambda: work(*args, **named), limiter=self._threads)


Handler = Callable[[Sandbox, Request], Awaitable[Response]]


class Desk:
    """One route of the API, as an ASGI application: faults, admission, handler, errors, in this order."""

    def __init__(self, route: str, sandbox: Sandbox, handler: Handler) -> None:
        """Serve a route of the sandbox.

        Args:
            route: Its name, one of `faults.ROUTES`.
        """
        self._route = route
        self._sandbox = sandbox
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, and note it in the ledger."""
        began, status = self._sandbox.now(), None

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        key = key_of(Headers(scope=scope))
        app = spoiled(self._sandbox.faults.take(self._route, key), self._serve)
        try:
            await app(scope, receive, noting)
        except (ClientDisconnect, DatabaseClosed):
            pass  # nobody is there to be told
        finally:
            self._sandbox.ledger.calls.append(Call(began, self._route, status))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response: Response
        try:
            scope["terms"] = self._sandbox.admission.admit(request.headers)
            scope["workspace"] = self._sandbox.workspace_of(request)
            response = await self._handler(self._sandbox, request)
        except ApiError as error:
            response = errors.answer(error, scope["request_id"])
        await response(scope, receive, send)


def aside(scope: Scope, kind: str) -> Fault | None:
    """The fault of this kind, if it goes wrong in this call."""
    found: Fault | None = scope.get(ASIDE, {}).get(kind)
    return found


class Stamp:
    """Gives every answer, of whatever route, its `request-id`, `Date` (by the sandbox's own clock) and organization."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        """Wrap an application.

        Args:
            sandbox: Whose clock counts.
        """
        self._app = app
        self._sandbox = sandbox
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = name("req_", self._sandbox.now(), next(self._numbers))

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers(scope)]}
            await send(message)

        await self._app(scope, receive, stamped)

    def _headers(self, scope: Scope) -> Iterator[tuple[bytes, bytes]]:
        yield b"request-id", scope["request_id"].encode()
        ahead, other = aside(scope, "date"), aside(scope, "organization")
        if aside(scope, "no_date") is None:
            yield b"date", formatdate(self._sandbox.now() + (ahead.seconds if ahead else 0), usegmt=True).encode()
        if organization := self._sandbox.settings.organization if other is None else other.text:
            yield b"anthropic-organization-id", organization.encode()

"""Does what faults say, between the route's own answer and the wire."""

import socket
import struct
from asyncio import Transport
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import anyio
import msgspec
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchd.sandbox import errors, spoil, stream
from batchd.sandbox.faults import Fault

_SPEND_CAP = "You have reached the monthly spend limit of your usage tier."
_SPEND_LIMIT = "You have reached your specified API usage limits. You will regain access on 2099-01-01 at 00:00 UTC."


@dataclass(frozen=True, slots=True)
class Call:
    """One call that something goes wrong with."""

    fault: Fault
    app: ASGIApp
    """What would answer it."""
    scope: Scope
    receive: Receive
    send: Send

    @property
    def request_id(self) -> str:
        """As in the `request-id` header."""
        return str(self.scope["request_id"])

    async def work(self) -> "Caught":
        """Let the call have its effect, and keep the answer from the caller."""
        caught = Caught()
        await self.app(self.scope, self.receive, caught.send)
        return caught

    async def read(self) -> None:
        """Read the body to its end and forget it."""
        while (message := await self.receive())["type"] == "http.request":
            if not message.get("more_body"):
                return

    async def answer(self, response: Response) -> None:
        """Answer with this."""
        await response(self.scope, self.receive, self.send)

    async def hang_up(self, *, reset: bool = False) -> None:
        """Drop the connection, and wait until it is gone so that nobody answers any more."""
        wire = self.scope.get("state", {}).get("wire")
        if not isinstance(wire, Transport):
            raise TypeError("connections can be dropped only under serve()")
        if reset:
            plug = wire.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.abort()
        while (await self.receive())["type"] != "http.disconnect":
            pass


@dataclass(slots=True)
class Caught:
    """An answer that did not go out."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, message: Message) -> None:
        """Catch one event of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        else:
            self.body += message.get("body", b"")

    def start(self) -> Message:
        """Its status and headers, as they would have gone out."""
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


async def happen(call: Call) -> None:
    """Let a fault happen.

    Args:
        call: In which one.
    """
    await _ACTS[call.fault.kind](call)


async def _refuse(call: Call) -> None:
    await _instead(call, JSONResponse(_error(call), call.fault.status))


def _error(call: Call) -> dict[str, object]:
    kind = errors.TYPES.get(call.fault.status, "api_error")
    return errors.body(kind, kind.replace("_", " ").capitalize(), call.request_id)


async def _instead(call: Call, response: Response) -> None:
    if call.fault.lands:
        await call.work()
    else:
        await call.read()
    if call.fault.retry_after is not None:
        response.headers["retry-after"] = f"{call.fault.retry_after:g}"
    await call.answer(response)


async def _html(call: Call) -> None:
    await _instead(call, HTMLResponse(errors.TOO_LARGE_PAGE, call.fault.status))


async def _detail(call: Call) -> None:
    await _instead(call, JSONResponse({"detail": "the gateway has no better words"}, call.fault.status))


async def _spend_cap(call: Call) -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    await _instead(call, JSONResponse(errors.body("rate_limit_error", _SPEND_CAP, call.request_id, details), 429))


async def _spend_limit(call: Call) -> None:
    await _instead(call, JSONResponse(errors.body("invalid_request_error", _SPEND_LIMIT, call.request_id), 400))


async def _close(call: Call) -> None:
    await call.hang_up()


async def _close_late(call: Call) -> None:
    await call.read()
    await call.hang_up()


async def _reset(call: Call) -> None:
    await call.work()
    await call.hang_up(reset=True)


async def _silence(call: Call) -> None:
    if call.fault.lands:
        await call.work()
    with anyio.move_on_after(call.fault.seconds):
        while (await call.receive())["type"] != "http.disconnect":
            pass
        return
    await call.hang_up()


async def _half(call: Call) -> None:
    caught = await call.work()
    await call.send(caught.start())
    await call.send({"type": "http.response.body", "body": caught.body[: len(caught.body) // 2], "more_body": True})
    await anyio.sleep(0.05)  # what was written has to leave before the connection is dropped
    await call.hang_up()


async def _garbled(call: Call) -> None:
    await call.work()
    await call.answer(Response('{"id": "msgbatch_', 200, media_type="application/json"))


async def _unlisted(call: Call) -> None:
    call.scope["unlisted"] = call.fault.seconds
    await call.app(call.scope, call.receive, call.send)


def _edited(edit: Callable[[dict[str, object]], None]) -> Callable[[Call], Awaitable[None]]:
    """An act that changes each batch in the answer."""

    async def act(call: Call) -> None:
        caught = await call.work()
        shown = msgspec.json.decode(caught.body, type=dict[str, object])
        batches = shown.get("data", [shown])
        for batch in batches if isinstance(batches, list) else ():
            edit(batch)
        await call.answer(JSONResponse(shown, caught.status))

    return act


def _relined(change: Callable[[bytes, int, Fault], bytes]) -> Callable[[Call], Awaitable[None]]:
    """An act that changes result lines on their way out; every piece that comes by ends where a line does."""

    async def act(call: Call) -> None:
        number = 0

        async def send(message: Message) -> None:
            nonlocal number
            if body := message.get("body", b""):
                lines = body.splitlines(keepends=True)
                message = {
                    **message,
                    "body": b"".join(change(line, number + i, call.fault) for i, line in enumerate(lines)),
                }
                number += len(lines)
            await call.send(message)

        await call.app(call.scope, call.receive, send)

    return act


class _Enough(Exception):
    """Thrown into an answer that is to end, so that it has come to terms with that before the caller can know."""


async def _cut(call: Call) -> None:
    left = call.fault.at

    async def send(message: Message) -> None:
        nonlocal left
        body = message.get("body", b"")
        if message["type"] == "http.response.body" and len(body) >= left:
            await call.send({**message, "body": body[:left], "more_body": True})
            raise _Enough
        left -= len(body)
        await call.send(message)

    try:
        await call.app(call.scope, call.receive, send)
    except _Enough:
        await anyio.sleep(0.05)  # what was written has to leave before the connection is dropped
        await call.hang_up()


async def _error_event(call: Call) -> None:
    await _ended(call, stream.encode(_error(call)))


async def _unfinished(call: Call) -> None:
    await _ended(call, b"")


async def _ended(call: Call, last: bytes) -> None:
    """End a stream before its time."""
    left = call.fault.at
    streams = False

    async def send(message: Message) -> None:
        nonlocal left, streams
        if message["type"] == "http.response.start":
            streams = any(name == b"content-type" and b"event-stream" in value for name, value in message["headers"])
        body = message.get("body", b"")
        if streams and body and left <= 0:
            raise _Enough
        left -= len(body)
        await call.send(message)

    try:
        await call.app(call.scope, call.receive, send)
    except _Enough:
        await call.send({"type": "http.response.body", "body": last})


async def _slow(call: Call) -> None:
    async def send(message: Message) -> None:
        if message.get("body"):
            await anyio.sleep(call.fault.seconds)
        await call.send(message)

    await call.app(call.scope, call.receive, send)


_ACTS: Mapping[str, Callable[[Call], Awaitable[None]]] = {
    "status": _refuse,
    "html": _html,
    "detail": _detail,
    "spend_cap": _spend_cap,
    "spend_limit": _spend_limit,
    "close": _close,
    "close_late": _close_late,
    "reset": _reset,
    "silence": _silence,
    "half": _half,
    "garbled": _garbled,
    "unlisted": _unlisted,
    "cut": _cut,
    "slow": _slow,
    "error_event": _error_event,
    "unfinished": _unfinished,
    **{kind: _edited(edit) for kind, edit in spoil.BATCHES.items()},
    **{kind: _relined(change) for kind, change in spoil.LINES.items()},
}

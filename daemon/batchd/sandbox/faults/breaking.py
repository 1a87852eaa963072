"""Connections that break, answers that come late, slowly, or not whole."""

from collections.abc import Awaitable, Callable, Mapping

import anyio
from starlette.types import Message

from batchd.sandbox import stream
from batchd.sandbox.faults.call import Call
from batchd.sandbox.faults.refusing import error

_LEAVES = 0.05
"""Seconds that what was written gets to leave, before the connection is dropped."""


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
    await anyio.sleep(_LEAVES)
    await call.hang_up()


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
        await anyio.sleep(_LEAVES)
        await call.hang_up()


async def _error_event(call: Call) -> None:
    await _ended(call, stream.encode(error(call)))


async def _error_text(call: Call) -> None:
    await _ended(call, stream.encode({"type": "error", "error": "the gateway has no better words"}))


async def _only_pings(call: Call) -> None:
    """Send signs of life until nobody listens any more."""
    left = call.fault.at

    async def send(message: Message) -> None:
        nonlocal left
        body = message.get("body", b"")
        if body and left <= 0:
            raise _Enough
        left -= len(body)
        await call.send(message)

    try:
        await call.app(call.scope, call.receive, send)
    except _Enough:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_ping_for_ever, call)
            while (await call.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()


async def _ping_for_ever(call: Call) -> None:
    while True:
        await call.send({"type": "http.response.body", "body": stream.PING, "more_body": True})
        await anyio.sleep(call.fault.seconds or 1.0)


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


ACTS: Mapping[str, Callable[[Call], Awaitable[None]]] = {
    "close": _close,
    "close_late": _close_late,
    "reset": _reset,
    "silence": _silence,
    "half": _half,
    "cut": _cut,
    "slow": _slow,
    "error_event": _error_event,
    "error_text": _error_text,
    "only_pings": _only_pings,
    "unfinished": _unfinished,
}
"""What becomes of the connection, by kind of fault."""

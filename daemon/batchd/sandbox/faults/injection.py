"""Does what faults say, between the route's own answer and the wire."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchd.sandbox.faults import breaking, company, refusing, spoiling, streaming
from batchd.sandbox.faults.call import Call
from batchd.sandbox.faults.plan import Fault

ASIDE = "aside"
"""In the scope of a call: the faults that the route or the stamp on its answer must know of, by their kind."""


_ASIDE = ("whole_json", "unlisted", "oldest_first", "unpaged", "no_ranges", "date", "no_date", "organization")


def spoiled(faults: Iterable[Fault], app: ASGIApp) -> ASGIApp:
    """An application in whose calls all of this goes wrong; the last of it is what the caller meets first."""
    for fault in sorted(faults, key=lambda each: each.kind in _ASIDE):
        app = _spoiled(fault, app)
    return app


def _spoiled(fault: Fault, app: ASGIApp) -> ASGIApp:
    async def spoils(scope: Scope, receive: Receive, send: Send) -> None:
        await _ACTS[fault.kind](Call(fault, app, scope, receive, send))

    return spoils


async def _aside(call: Call) -> None:
    call.scope.setdefault(ASIDE, {}).setdefault(call.fault.kind, call.fault)
    await call.go_on()


def _edited(edit: Callable[[dict[str, object], Fault], None]) -> Callable[[Call], Awaitable[None]]:
    """An act that changes each batch in the answer."""

    async def act(call: Call) -> None:
        caught = await call.work()
        shown = msgspec.json.decode(caught.body, type=dict[str, object])
        batches = shown.get("data", [shown])
        for batch in batches if isinstance(batches, list) and shown.get("type") != "error" else ():
            edit(batch, call.fault)
        await call.answer(JSONResponse(shown, caught.status))

    return act


def _repaged(change: Callable[[list[object]], list[object]]) -> Callable[[Call], Awaitable[None]]:
    """An act that changes what is on a page of the list."""

    async def act(call: Call) -> None:
        caught = await call.work()
        page = msgspec.json.decode(caught.body, type=dict[str, object])
        data = page.get("data")
        if isinstance(data, list):
            page["data"] = change(data)
        await call.answer(JSONResponse(page, caught.status))

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


def _restreamed(begin: Callable[[], streaming.Change]) -> Callable[[Call], Awaitable[None]]:
    """An act that says a stream in another way; every piece that comes by is one event."""

    async def act(call: Call) -> None:
        change, streams = begin(), False

        async def send(message: Message) -> None:
            nonlocal streams
            if message["type"] == "http.response.start":
                streams = any(b"event-stream" in value for _, value in message["headers"])
            if streams and (body := message.get("body", b"")):
                message = {**message, "body": b"".join(change(streaming.read(body)))}
            await call.send(message)

        await call.app(call.scope, call.receive, send)

    return act


_ACTS: Mapping[str, Callable[[Call], Awaitable[None]]] = {
    **refusing.ACTS,
    **breaking.ACTS,
    **company.ACTS,
    **dict.fromkeys(_ASIDE, _aside),
    **{kind: _edited(edit) for kind, edit in spoiling.BATCHES.items()},
    **{kind: _repaged(change) for kind, change in spoiling.PAGES.items()},
    **{kind: _restreamed(oddity.begin) for kind, oddity in streaming.ODDITIES.items()},
    **{kind: _relined(change) for kind, change in spoiling.LINES.items()},
}

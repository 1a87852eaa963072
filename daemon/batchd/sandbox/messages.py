"""Messages outside of batches: examined as those of a batch are, and answered at once, whole or as a stream.

A whole answer is charged for even if nobody reads it: the model has written it. Of a stream that is cut only
what was sent is charged for. Both take their time by the event loop's clock, since a stream cannot follow another.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

import anyio
import anyio.lowlevel
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from batchd.sandbox import answer, errors, stream
from batchd.sandbox.answer import Prompt
from batchd.sandbox.checks import Terms
from batchd.sandbox.endpoint import Sandbox, aside
from batchd.sandbox.errors import ApiError
from batchd.sandbox.examiner import LARGEST_PARAMS

_BETWEEN_PINGS = 10.0
"""Seconds for which a stream may be silent."""


class _Wish(msgspec.Struct):
    """How the answer is to come."""

    stream: bool = False


_WISH = msgspec.json.Decoder(_Wish)


class _Answer(NamedTuple):
    """One answer, charged for as far as can be known before it is sent."""

    message: dict[str, object]
    events: list[stream.Event]
    """None of them where it comes whole."""
    seconds: float
    receipt: int


async def answer_call(sandbox: Sandbox, request: Request) -> Response:
    """Answer `POST /v1/messages`.

    Raises:
        ApiError: The API would refuse it, or the prompt tells to fail.
        ClientDisconnect: Nobody waits for the answer any more.
    """
    raw = await _read(request)
    if raw is None:
        return HTMLResponse(errors.TOO_LARGE_PAGE, 413)
    terms = replace(request.scope["terms"], batched=False)
    whole = aside(request.scope, "whole_json") is not None
    name = answer.name("msg_", request.scope["request_id"])
    found = await sandbox.aside(_answer, sandbox, raw, terms, name, whole=whole)
    if found.events:
        return _Streamed(sandbox, found)
    await _wait(request, found.seconds)
    return JSONResponse(found.message)


async def _read(request: Request) -> bytes | None:
    """The body; one that is too large is read to its end all the same, so that 413 can be heard."""
    body = bytearray()
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= LARGEST_PARAMS:
            body += piece
    return bytes(body) if size <= LARGEST_PARAMS else None


def _answer(sandbox: Sandbox, raw: bytes, terms: Terms, name: str, *, whole: bool) -> _Answer:
    try:
        finding = sandbox.examiner.examine(raw, terms, sandbox.now())
    except errors.NOT_JSON as mistake:
        raise errors.not_json(mistake) from None
    if finding.refusal:
        kind, why = finding.refusal
        raise ApiError(errors.STATUSES.get(kind, 500), why, kind=kind)
    message = answer.compose(Prompt(name, raw, terms, finding.tokens, finding.cached), sandbox.settings.seed)
    usage = msgspec.convert(message["usage"], dict[str, object])
    receipt = sandbox.receipts.open(name, finding.digest, usage)
    if sandbox.script is not None:
        sandbox.script.note([(None, raw)])
    seconds = sandbox.settings.message_duration if finding.takes is None else finding.takes
    if _WISH.decode(raw).stream and not whole:
        return _Answer(message, stream.events(message), seconds, receipt)
    sandbox.receipts.settle(receipt, msgspec.convert(usage["output_tokens"], int), whole=True)
    return _Answer(message, [], seconds, receipt)


async def _wait(request: Request, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        while (await request.receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnect


class _Streamed(StreamingResponse):
    """The events of one answer, each when it is due; it ends when the caller hangs up."""

    media_type = "text/event-stream"

    def __init__(self, sandbox: Sandbox, found: _Answer) -> None:
        self._sandbox = sandbox
        self._answer = found
        self._sent = 0
        self._whole = False
        super().__init__(self._pieces(), headers={"cache-control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them, and charge for those that were sent."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not self._whole:
                await self._settle()

    async def _settle(self) -> None:
        with anyio.CancelScope(shield=True):
            settle = self._sandbox.receipts.settle
            await self._sandbox.aside(settle, self._answer.receipt, self._sent, whole=self._whole)

    async def _pieces(self) -> AsyncIterator[bytes]:
        began = anyio.current_time()
        for event in self._answer.events:
            due = began + self._answer.seconds * event.due if event.due else began
            while (left := due - anyio.current_time()) > 0:
                await anyio.sleep(min(left, _BETWEEN_PINGS))
                if left > _BETWEEN_PINGS:
                    yield stream.PING
            yield event.wire
            await anyio.lowlevel.checkpoint()  # here it ends if that was never heard, and then it is not charged for
            self._sent = event.sent
        self._whole = True
        await (
            self._settle()
        )  # before the end of the body goes out, so that a caller that has seen it finds it in the ledger

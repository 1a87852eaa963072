"""Somebody else with the same key: batches that are not the caller's, at the very moment of one that is."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Message

from batchd.sandbox.faults.call import Call, Caught

_CREATED = 200


class _Counts(msgspec.Struct):
    processing: int


class _Batch(msgspec.Struct):
    id: str
    request_counts: _Counts


_BATCH = msgspec.json.Decoder(_Batch)


async def _foreign_batch(call: Call) -> None:
    ours, _ = await _both(call)
    await call.answer(_as_is(ours))


async def _misdirected(call: Call) -> None:
    ours, theirs = await _both(call)
    await call.answer(_as_is(theirs or ours))


async def _both(call: Call) -> tuple[Caught, Caught | None]:
    """Let the call have its effect, and somebody else create as many requests and `at` more."""
    ours = await call.work()
    if ours.status != _CREATED:
        return ours, None
    made = _BATCH.decode(ours.body)
    body = _body(f"{made.id}", made.request_counts.processing + call.fault.at, call.fault.seconds)
    theirs = Caught()
    headers = [(name, value) for name, value in call.scope["headers"] if name != b"content-length"]
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body}

    length = (b"content-length", str(len(body)).encode())
    await call.app({**call.scope, "headers": [*headers, length]}, receive, theirs.send)
    return ours, theirs


def _body(beside: str, count: int, seconds: float) -> bytes:
    """A create of somebody else's; no two of its requests, nor those of two batches, are alike."""
    takes = f"[sandbox: take {seconds:g}] " if seconds else ""
    return msgspec.json.encode(
        {
            "requests": [
                {
                    "custom_id": f"somebody-{number}",
                    "params": {
                        "model": "claude-haiku-4-5",
                        "max_tokens": 100,
                        "messages": [{"role": "user", "content": f"{takes}Somebody else's {number}, beside {beside}."}],
                    },
                }
                for number in range(count)
            ]
        }
    )


def _as_is(caught: Caught) -> Response:
    return Response(caught.body, caught.status, media_type="application/json")


ACTS: Mapping[str, Callable[[Call], Awaitable[None]]] = {"foreign_batch": _foreign_batch, "misdirected": _misdirected}
"""What somebody else does, by kind of fault."""

"""The routes of the API, and two to control the sandbox itself."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from batchd.sandbox import batch as batches
from batchd.sandbox import checks, conversation, errors, messages, models, paging, results
from batchd.sandbox.answer import name
from batchd.sandbox.batch import Batch
from batchd.sandbox.create_body import Arrival, Course
from batchd.sandbox.endpoint import Desk, Handler, Sandbox, Stamp, aside
from batchd.sandbox.errors import ApiError
from batchd.sandbox.faults import Fault
from batchd.sandbox.faults.refusing import EACH_FAILS
from batchd.sandbox.shapes import EXTRA

_SPOOL = 1 << 20
_FROM_BYTE = re.compile(r"bytes=(\d{1,15})-")
_REQUESTS_OF_A_LONG_BATCH = 1000
_LONGEST_FACTOR = 5.0
_ANY_MODEL_WRITES = 64_000
_FAULTS = msgspec.json.Decoder(list[Fault] | Fault)


def application(sandbox: Sandbox) -> Starlette:
    """The sandbox as an ASGI application, which closes it when its lifespan ends."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        sandbox.close()

    one = "/v1/messages/batches/{id}"
    routes: Sequence[tuple[str, str, str, Handler]] = (
        ("message", "POST", "/v1/messages", messages.answer_call),
        ("create", "POST", "/v1/messages/batches", _create),
        ("list", "GET", "/v1/messages/batches", _list),
        ("retrieve", "GET", one, _retrieve),
        ("delete", "DELETE", one, _delete),
        ("cancel", "POST", f"{one}/cancel", _cancel),
        ("results", "GET", f"{one}/results", _results),
        ("count_tokens", "POST", "/v1/messages/count_tokens", _count_tokens),
        ("models", "GET", "/v1/models", _models),
        ("model", "GET", "/v1/models/{id}", _model),
    )
    return Starlette(
        routes=[
            *(Route(path, Desk(route, sandbox, handler), methods=[method]) for route, method, path, handler in routes),
            Route("/sandbox/faults", _bound(_faults, sandbox), methods=["GET", "POST", "DELETE"]),
            Route("/sandbox/ledger", _bound(_ledger, sandbox), methods=["GET"]),
        ],
        middleware=[Middleware(Stamp, sandbox)],
        exception_handlers={HTTPException: _lost},
        lifespan=lifespan,
    )


def _bound(handler: Handler, sandbox: Sandbox) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        return await handler(sandbox, request)

    return endpoint


async def _lost(request: Request, error: Exception) -> Response:
    """No such path, or no such method on it."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = "Not Found" if status == 404 else "Method Not Allowed"  # noqa: PLR2004  the router raises these two
    return errors.answer(ApiError(status, message), request.scope["request_id"])


async def _create(sandbox: Sandbox, request: Request) -> Response:
    book, settings, terms = sandbox.book, sandbox.settings, request.scope["terms"]
    number = await sandbox.aside(book.begin)
    created = False
    try:
        if not await _spool(sandbox, request, book.body(number)):
            return HTMLResponse(errors.TOO_LARGE_PAGE, 413)
        arrival = await sandbox.aside(Arrival, book.body(number), settings.max_requests)
        await _check_queue(sandbox, len(arrival))
        duration = settings.duration * min(1 + len(arrival) / _REQUESTS_OF_A_LONG_BATCH, _LONGEST_FACTOR)
        course = Course(sandbox.examiner, terms, sandbox.now(), duration, request.scope.get(EACH_FAILS), sandbox.script)
        takes = await sandbox.aside(arrival.file, book, number, course)
        now = sandbox.now()
        unlisted = aside(request.scope, "unlisted")
        batch = Batch(
            number=number,
            id=name("msgbatch_", settings.seed, number, now),
            count=len(arrival),
            created_at=now,
            done_at=now + takes,
            expires_at=now + settings.expire_after,
            listed_at=now + (unlisted.seconds if unlisted else 0.0),
            canceled_at=None,
            cancel_duration=settings.cancel_duration,
            deleted_at=None,
            terms=terms,
        )
        await sandbox.aside(book.create, batch, request.scope["workspace"])
        if sandbox.script is not None:
            await sandbox.aside(sandbox.script.note, arrival.requests())
        created = True
    finally:
        if not created:
            with anyio.CancelScope(shield=True):
                await sandbox.aside(book.drop, number)
    return JSONResponse(await _shown(sandbox, request, batch))


async def _spool(sandbox: Sandbox, request: Request, path: Path) -> bool:
    """Write the body to disk; a body that is too large is read to its end all the same, so that 413 can be heard."""
    limit = sandbox.settings.max_bytes
    size = 0
    waiting = bytearray()
    too_large = int(request.headers.get("content-length", "0")) > limit
    with await sandbox.aside(path.open, "wb") as file:
        async for piece in request.stream():
            size += len(piece)
            too_large = too_large or size > limit
            if too_large:
                continue
            waiting += piece
            if len(waiting) >= _SPOOL:
                await sandbox.aside(file.write, bytes(waiting))
                waiting.clear()
        await sandbox.aside(file.write, bytes(waiting))
    return not too_large


async def _check_queue(sandbox: Sandbox, count: int) -> None:
    most, now = sandbox.settings.max_queued_requests, sandbox.now()
    if most is not None and await sandbox.aside(sandbox.book.queued, now) + count > most:
        raise ApiError(429, f"Too many queued batch requests: at most {most} are allowed.", retry_after=60.0)


async def _retrieve(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(await _shown(sandbox, request, await _found(sandbox, request)))


async def _list(sandbox: Sandbox, request: Request) -> Response:
    asked = paging.read(request.query_params)
    if aside(request.scope, "unpaged"):
        asked = paging.Page(asked.limit, None, None)
    after = None if asked.after is None else (await _cursor(sandbox, request, "after_id", asked.after)).number
    before = None if asked.before is None else (await _cursor(sandbox, request, "before_id", asked.before)).number
    page_of = partial(sandbox.book.page, asked.limit + 1, sandbox.now(), request.scope["workspace"])
    if aside(request.scope, "oldest_first"):
        above = None if before is not None else after or 0
        found = (await sandbox.aside(page_of, below=before, above=above))[::-1]
    else:
        found = await sandbox.aside(page_of, below=after, above=before)
    page, more = asked.cut(found)
    return JSONResponse(paging.show([await _shown(sandbox, request, batch) for batch in page], more=more))


async def _cancel(sandbox: Sandbox, request: Request) -> Response:
    batch = await _found(sandbox, request)
    now = sandbox.now()
    if batch.status(now) == "ended":
        raise ApiError(400, f"Batch {batch.id} has already ended and cannot be canceled.")
    await sandbox.aside(sandbox.book.cancel, batch, now)
    return JSONResponse(await _shown(sandbox, request, await _found(sandbox, request)))


async def _delete(sandbox: Sandbox, request: Request) -> Response:
    batch = await _found(sandbox, request)
    now = sandbox.now()
    if batch.status(now) != "ended":
        raise ApiError(400, f"Batch {batch.id} is still processing and cannot be deleted. Cancel it first.")
    await sandbox.aside(sandbox.ledger.note_bill, batch)
    await sandbox.aside(sandbox.book.delete, batch, now)
    return JSONResponse({"id": batch.id, "type": "message_batch_deleted"})


async def _results(sandbox: Sandbox, request: Request) -> Response:
    batch = await _found(sandbox, request)
    now = sandbox.now()
    if batch.status(now) != "ended":
        raise ApiError(400, f"Batch {batch.id} is still processing: results are not yet available.")
    if now >= batch.created_at + sandbox.settings.archive_after:
        raise ApiError(404, f"Results of batch {batch.id} are no longer available.")
    lines = partial(results.pieces, sandbox.book, batch, sandbox.settings.seed)
    asked = _FROM_BYTE.fullmatch(request.headers.get("range", ""))
    if asked is None or aside(request.scope, "no_ranges"):
        return _Lines(sandbox, lines())
    begin, size = int(asked[1]), await sandbox.aside(lambda: sum(map(len, lines())))
    if begin >= size:
        raise ApiError(416, f"Range: the results of batch {batch.id} have {size} bytes.")
    answer = _Lines(sandbox, results.behind(lines(), begin))
    answer.status_code = 206
    answer.headers["content-range"] = f"bytes {begin}-{size - 1}/{size}"
    return answer


class _Lines(StreamingResponse):
    """Result lines, each piece written in a thread when the last one has left."""

    media_type = "application/x-jsonl"

    def __init__(self, sandbox: Sandbox, pieces: Iterator[bytes]) -> None:
        self._sandbox = sandbox
        self._pieces = pieces
        super().__init__(self)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._sandbox.aside(next, self._pieces, b"")
        if not piece:
            raise StopAsyncIteration
        return piece


async def _count_tokens(_: Sandbox, request: Request) -> Response:
    try:
        params = msgspec.json.decode(await request.body(), type=dict[str, object])
    except errors.NOT_JSON as mistake:
        raise errors.not_json(mistake) from None
    if "max_tokens" in params:
        raise ApiError(400, f"max_tokens: {EXTRA}")
    refusal = checks.refusal({**params, "max_tokens": _ANY_MODEL_WRITES}, request.scope["terms"])
    if refusal:
        raise ApiError(404 if refusal.kind == "not_found_error" else 400, refusal.message)
    return JSONResponse({"input_tokens": conversation.weigh(params).tokens})


async def _models(_: Sandbox, request: Request) -> Response:
    asked = paging.read(request.query_params)
    known = list(models.MODELS.values())
    ids = list(models.MODELS)
    first = ids.index(asked.after) + 1 if asked.after in ids else 0
    last = ids.index(asked.before) if asked.before in ids else len(ids)
    page, more = asked.cut(known[first:last])
    return JSONResponse(paging.show([models.describe(model) for model in page], more=more))


async def _model(_: Sandbox, request: Request) -> Response:
    model = models.find(request.path_params["id"])
    if model is None:
        raise ApiError(404, f"model: {request.path_params['id']}")
    return JSONResponse(models.describe(model))


async def _faults(sandbox: Sandbox, request: Request) -> Response:
    """POST one or a list of faults, DELETE all or those of a `?kind=`, GET those that are still to come."""
    if request.method == "DELETE":
        sandbox.faults.clear(request.query_params.get("kind"))
    elif request.method == "POST":
        try:
            told = _FAULTS.decode(await request.body())
        except msgspec.DecodeError as mistake:
            return errors.answer(ApiError(400, str(mistake)), request.scope["request_id"])
        for fault in told if isinstance(told, list) else [told]:
            sandbox.faults.add(fault)
    return Response(msgspec.json.encode(sandbox.faults.pending()), media_type="application/json")


async def _ledger(sandbox: Sandbox, _: Request) -> Response:
    return Response(await sandbox.aside(sandbox.ledger.as_json), media_type="application/json")


async def _found(sandbox: Sandbox, request: Request) -> Batch:
    batch = await sandbox.aside(sandbox.book.find, request.path_params["id"], request.scope["workspace"])
    if batch is None:
        raise ApiError(404, f"Could not find batch with id {request.path_params['id']}.")
    return batch


async def _cursor(sandbox: Sandbox, request: Request, field: str, name_of: str) -> Batch:
    batch = await sandbox.aside(sandbox.book.find, name_of, request.scope["workspace"])
    if batch is None:
        raise ApiError(400, f"{field}: Could not find batch with id {name_of}.")
    return batch


async def _shown(sandbox: Sandbox, request: Request, batch: Batch) -> dict[str, object]:
    now = sandbox.now()
    counts = await sandbox.aside(sandbox.book.counts, batch) if batch.status(now) == "ended" else None
    archived_at = batch.created_at + sandbox.settings.archive_after
    return batches.describe(batch, counts, now, str(request.base_url).rstrip("/"), archived_at)

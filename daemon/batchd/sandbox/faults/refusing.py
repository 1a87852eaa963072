"""Answers other than the call's own: refusals of every form, trouble with the account, odd statuses."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import HTMLResponse, JSONResponse, Response

from batchd.sandbox import errors
from batchd.sandbox.checks import Refusal
from batchd.sandbox.faults import account
from batchd.sandbox.faults.call import Call

EACH_FAILS = "each_fails"
"""In the scope of a create: the `Refusal` with which each of its requests comes back."""

_NO_BODY = 204
_ELSEWHERE = "https://elsewhere.invalid/v1/messages/batches"


def error(call: Call) -> dict[str, object]:
    """The API's own error body for the fault's status."""
    kind = errors.TYPES.get(call.fault.status, "api_error")
    return errors.body(kind, call.fault.text or kind.replace("_", " ").capitalize(), call.request_id)


async def _status(call: Call) -> None:
    kind = errors.TYPES.get(call.fault.status, "api_error")
    await _refuse(call, Refusal(kind, call.fault.text or kind), JSONResponse(error(call), call.fault.status))


async def _account(call: Call) -> None:
    trouble = account.TROUBLES[call.fault.kind]
    details = None if trouble.code is None else {"error_code": trouble.code}
    body = errors.body(trouble.type, trouble.message, call.request_id, details)
    await _refuse(call, Refusal(trouble.type, trouble.message), JSONResponse(body, trouble.status))


async def _refuse(call: Call, late: Refusal, response: Response) -> None:
    if call.fault.late:
        call.scope[EACH_FAILS] = late
        await call.go_on()
    else:
        await _instead(call, response)


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
    said = call.fault.text or "the gateway has no better words"
    await _instead(call, JSONResponse({"detail": said}, call.fault.status))


async def _flat(call: Call) -> None:
    said = call.fault.text or "the gateway has no better words"
    await _instead(call, JSONResponse({"message": said, "code": call.fault.status}, call.fault.status))


async def _untyped(call: Call) -> None:
    said = call.fault.text or "the gateway has no better words"
    await _instead(call, JSONResponse({"error": {"message": said}}, call.fault.status))


async def _odd_status(call: Call) -> None:
    caught = await call.work()
    status = call.fault.status
    response = Response(b"" if status == _NO_BODY else caught.body, status, media_type="application/json")
    if status // 100 == 3:  # noqa: PLR2004  a redirection
        response.headers["location"] = _ELSEWHERE
    await call.answer(response)


async def _garbled(call: Call) -> None:
    await call.work()
    await call.answer(Response('{"id": "msgbatch_', 200, media_type="application/json"))


ACTS: Mapping[str, Callable[[Call], Awaitable[None]]] = {
    "status": _status,
    "html": _html,
    "detail": _detail,
    "flat": _flat,
    "untyped": _untyped,
    "odd_status": _odd_status,
    "garbled": _garbled,
    **dict.fromkeys(account.TROUBLES, _account),
}
"""What answers in place of the call, by kind of fault."""

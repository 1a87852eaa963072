"""Errors as the API words them."""

from collections.abc import Mapping

import msgspec
from starlette.responses import JSONResponse

TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "request_too_large",
    416: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` of each status (docs: API errors)."""

STATUSES: Mapping[str, int] = {kind: status for status, kind in reversed(list(TYPES.items()))} | {"timeout_error": 504}
"""The status of each `error.type`."""

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What parsing raises for bytes that are not JSON, or nested beyond reason."""

TOO_LARGE_PAGE = (
    "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    "<center><h1>413 Request Entity Too Large</h1></center>\r\n"
    "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)
"""A body above the limit never reaches the API: what refuses it is the CDN, and that speaks HTML."""


def not_json(mistake: Exception, where: str = "") -> "ApiError":
    """How a body that does not parse, or is no object, is refused.

    Args:
        mistake: One of `NOT_JSON`.
        where: Path of the part that does not.
    """
    if isinstance(mistake, msgspec.ValidationError):
        return ApiError(400, "Input should be a valid dictionary")
    return ApiError(400, f"The request body is not valid JSON: {where}{mistake}")


class ApiError(Exception):
    """A call that is refused, and how."""

    def __init__(self, status: int, message: str, *, kind: str | None = None, retry_after: float | None = None) -> None:
        """Keep what the answer will say.

        Args:
            status: HTTP status, one of `TYPES`.
            message: In the API's style: path of the field, colon, what is wrong.
            kind: `error.type`, where it is not that of the status.
            retry_after: Seconds to ask the caller to wait.
        """
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind or TYPES[status]
        self.retry_after = retry_after


def body(kind: str, message: str, request_id: str, details: Mapping[str, object] | None = None) -> dict[str, object]:
    """An error as JSON, as calls and (nested once more) result lines carry it.

    Args:
        request_id: The call's, or in a result line the single request's.
        details: `error.details`, where there are any.
    """
    error: dict[str, object] = {"type": kind, "message": message}
    if details is not None:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": request_id}


def answer(error: ApiError, request_id: str) -> JSONResponse:
    """The whole response for a refused call.

    Args:
        request_id: As in the `request-id` header.
    """
    headers = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
    return JSONResponse(body(error.kind, error.message, request_id), error.status, headers)

"""The two ends of a call that are no success: an answer that says so, and none."""

from collections.abc import Mapping

import httpx2
import msgspec


class StatusError(Exception):
    """The server has answered with another status than success."""

    def __init__(self, response: httpx2.Response) -> None:
        """Take up what it says.

        Args:
            response: Read whole.
        """
        super().__init__(f"HTTP {response.status_code}")
        self.response = response
        self.status_code = response.status_code
        self.body = _decoded(response.content)
        """As JSON; None where it is none."""
        error = _within(self.body, "error")
        self.kind = _text_within(error, "type")
        """`error.type`: the broad category."""
        self.said = _text_within(error, "message")
        """`error.message`, for people."""
        self.code = _text_within(_within(error, "details"), "error_code")
        """`error.details.error_code`, which names the cause."""


class Unanswered(Exception):
    """No answer has come; the cause says why."""

    def __init__(self, request: httpx2.Request) -> None:
        super().__init__("no answer")
        self.request = request


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _within(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, Mapping) else None


def _text_within(value: object, key: str) -> str | None:
    said = _within(value, key)
    return said if isinstance(said, str) else None

"""What every call of the API needs: a key, a version, well formed betas, and room in the rate limit."""

import re
from collections import deque
from collections.abc import Callable
from hashlib import sha256

from starlette.datastructures import Headers

from batchd.sandbox.checks import Terms
from batchd.sandbox.errors import ApiError

VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
"""All values of `anthropic-version` (docs: API versioning)."""

_BETA = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-\d{4}-\d{2}-\d{2}")
_MINUTE = 60.0


class Admission:
    """The door that all routes of the API share."""

    def __init__(self, api_key: str | None, per_minute: int | None, now: Callable[[], float]) -> None:
        """Remember the calls of the last minute.

        Args:
            api_key: The only key taken; None for any.
            per_minute: Calls in any 60 seconds; None for any number.
            now: Unix seconds.
        """
        self.api_key = api_key
        """As it is now: keys are revoked, and made."""
        self.revoked: set[str] = set()
        """Keys that are not taken, whatever the only one is."""
        self._same: dict[str, str] = {}
        self._per_minute = per_minute
        self._now = now
        self._recent: deque[float] = deque()

    def workspace(self, key: str) -> str:
        """Name the workspace of a key, which is no other key's, where nobody has said so: a digest of it."""
        return sha256(self._same.get(key, key).encode()).hexdigest()

    def same_workspace(self, key: str, other: str) -> None:
        """Let a key be of the same workspace as another."""
        self._same[key] = other

    def admit(self, headers: Headers) -> Terms:
        """Let a call in.

        Returns:
            What its headers ask for.

        Raises:
            ApiError: 401, 400 or 429, in the order in which the API looks.
        """
        self._check_key(headers)
        self._check_rate()
        version = headers.get("anthropic-version")
        if version is None:
            raise ApiError(400, "anthropic-version: header is required")
        if version not in VERSIONS:
            raise ApiError(400, f'anthropic-version: "{version}" is not a valid version')
        betas = [beta.strip() for line in headers.getlist("anthropic-beta") for beta in line.split(",")]
        for beta in filter(None, betas):
            if not _BETA.fullmatch(beta):
                raise ApiError(400, f"Unexpected value(s) `{beta}` for the `anthropic-beta` header.")
        return Terms(version, frozenset(filter(None, betas)))

    def _check_key(self, headers: Headers) -> None:
        key = key_of(headers)
        if not key:
            raise ApiError(401, "x-api-key header is required")
        if key in self.revoked or (self.api_key is not None and key != self.api_key):
            raise ApiError(401, "invalid x-api-key" if headers.get("x-api-key") else "Invalid bearer token")

    def _check_rate(self) -> None:
        if self._per_minute is None:
            return
        now = self._now()
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        if len(self._recent) >= self._per_minute:
            raise ApiError(
                429,
                f"This request would exceed your organization's rate limit of {self._per_minute} requests per minute.",
                retry_after=self._recent[0] + _MINUTE - now,
            )
        self._recent.append(now)


def key_of(headers: Headers) -> str:
    """The key that a call is made with; where two are sent, the API uses x-api-key."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")

"""Signing in: a token that both sides know, compared in constant time, and the sessions of those who knew it."""

import hmac
import os
import secrets
import stat
from collections import defaultdict, deque
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from batchd.errors import Unusable

LIFETIME: Final = 12 * 3600
"""Seconds that a session lasts."""
_SHORTEST: Final = 16
_TRIES: Final = 5
_MINUTE: Final = 60.0
_MOST: Final = 1_000
"""Sessions at one time; the oldest go first."""


def token_of(setting: str) -> bytes:
    """Read the token that a setting names.

    Args:
        setting: A path, or the name of a credential of the service manager.

    Raises:
        Unusable: It cannot be read, is open to others, or is easily guessed.
    """
    if "/" in setting:
        path = Path(setting).expanduser()
    elif folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        path = Path(folder, setting)
    else:
        raise Unusable(
            f"page.token = {setting!r}: no service manager has given credentials to this process; name a file by its "
            "path, such as /etc/batchd/page-token"
        )
    try:
        mode = path.stat().st_mode
        token = path.read_bytes().strip()
    except OSError as error:
        raise Unusable(f"page.token: {path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise Unusable(f"page.token: {path} should be a file for its owner alone: chmod 600 {path}")
    if len(token) < _SHORTEST:
        raise Unusable(
            f"page.token: what is in {path} has under {_SHORTEST} characters, and could be guessed: "
            "write one with `openssl rand -hex 32`"
        )
    return token


class Sessions:
    """Who has signed in, in the memory of this process alone: its end signs everybody out."""

    def __init__(self, token: bytes, now: Callable[[], float]) -> None:
        self._token = sha256(token).digest()
        self._now = now
        self._until: dict[bytes, float] = {}
        self._failed: defaultdict[str, deque[float]] = defaultdict(deque)

    def may_try(self, address: str) -> bool:
        """Whether an address has a try left in this minute."""
        failed, now = self._failed[address], self._now()
        while failed and failed[0] <= now - _MINUTE:
            failed.popleft()
        if not failed:
            del self._failed[address]
        return len(failed) < _TRIES

    def is_token(self, said: str, address: str) -> bool:
        """Compare, in constant time; a wrong one counts as a try."""
        right = hmac.compare_digest(sha256(said.encode("utf-8", "replace")).digest(), self._token)
        if not right:
            self._failed[address].append(self._now())
        return right

    def begin(self) -> str:
        """Make a session, and return what its cookie holds."""
        cookie = secrets.token_urlsafe(32)
        while len(self._until) >= _MOST:
            del self._until[next(iter(self._until))]
        self._until[_key(cookie)] = self._now() + LIFETIME
        return cookie

    def lasts(self, cookie: str) -> bool:
        """Whether a cookie is that of a session."""
        until = self._until.get(_key(cookie))
        if until is not None and until <= self._now():
            self._until.pop(_key(cookie), None)
        return until is not None and until > self._now()

    def end(self, cookie: str) -> None:
        """Sign out."""
        self._until.pop(_key(cookie), None)


def _key(cookie: str) -> bytes:
    return sha256(cookie.encode("utf-8", "replace")).digest()

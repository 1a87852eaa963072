"""What webhooks are signed with: a credential of the service, or a file that nobody else may read."""

import binascii
import os
from pathlib import Path
from stat import S_ISREG
from typing import Final

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from batchd.edges import disk

_PREFIX: Final = "whsec_"
_LARGEST: Final = 4_096
_MOST: Final = 4
_SHORTEST: Final = 24
"""Bytes of a secret, as the specification asks."""


class Unreadable(Exception):
    """No secret was found; its text says why, and shows none."""


def read_secrets(name: str) -> list[Webhook]:
    """Read the secrets of a sink: one a line, all of which sign, so that one can replace the other; it blocks.

    Args:
        name: Of a credential of the service (`$CREDENTIALS_DIRECTORY`), or else the path of a file.

    Raises:
        Unreadable: There is none, others may read it, or it is none.
    """
    lines = _lines(name)
    if not lines or len(lines) > _MOST or not all(line.startswith(_PREFIX) for line in lines):
        raise Unreadable(f"its secret {name!r} should be one to {_MOST} lines that begin with {_PREFIX}")
    if any(len(line) - len(_PREFIX) < _SHORTEST * 4 // 3 for line in lines):
        raise Unreadable(f"its secret {name!r} should have at least {_SHORTEST} bytes, in base64")
    try:
        return [Webhook(line) for line in lines]
    except (binascii.Error, EmptyWebhookSecretError):
        raise Unreadable(f"its secret {name!r} is not base64 behind {_PREFIX}") from None


def _lines(name: str) -> list[str]:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(credentials, name) if credentials and "/" not in name else None
    if path is None or not path.exists():
        path = Path(name).expanduser()
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            stat = os.fstat(file.fileno())
            if not S_ISREG(stat.st_mode):
                raise Unreadable(f"its secret {name!r} is no file")
            if path.parent != Path(credentials or "/-") and stat.st_mode & disk.OTHERS:
                raise Unreadable(f"its secret {name!r} is open to other users: chmod 600 it")
            return file.read(_LARGEST).decode("ascii", "replace").split()
    except OSError as error:
        raise Unreadable(f"its secret {name!r} cannot be read: {error.strerror}") from None

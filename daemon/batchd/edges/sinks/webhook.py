"""Webhooks, as standardwebhooks.com specifies them: one id at all attempts, and a signature for each secret."""

import time
from datetime import UTC, datetime
from typing import Final

from anyio import to_thread

from batchd.edges.sinks.http import Unsent, call
from batchd.edges.sinks.secret import Unreadable, read_secrets
from batchd.notice import DONE, Attempt, Message, Told

_GONE: Final = 410
_TAKEN: Final = range(200, 300)


class Webhook:
    """An address that is told by POST."""

    def __init__(self, url: str, secret: str, *, private: bool) -> None:
        """Make one.

        Args:
            url: Of the settings.
            secret: The credential or file that holds what it is signed with; empty for unsigned ones.
            private: Whether it may lead to this machine or a private network.
        """
        self._url = url
        self._secret = secret
        self._private = private

    async def deliver(self, message: Message) -> Attempt:
        """Try once to deliver a message."""
        try:
            headers = await to_thread.run_sync(self._headers, message)
            status = await call("POST", self._url, private=self._private, headers=headers, body=message.body)
        except (Unsent, Unreadable) as error:
            return Attempt(Told.AGAIN, str(error))
        if status in _TAKEN:
            return DONE
        return Attempt(Told.STOPPED if status == _GONE else Told.AGAIN, f"HTTP {status}")

    def _headers(self, message: Message) -> dict[str, str]:
        now = datetime.fromtimestamp(int(time.time()), UTC)  # the library takes any other zone for UTC
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._secret:
            signers = read_secrets(self._secret)
            signed = (each.sign(message.id, now, message.body.decode()) for each in signers)
            headers["webhook-signature"] = " ".join(signed)
        return headers

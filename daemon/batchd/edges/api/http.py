"""One call over HTTP: sent once, its answer handed on; whatever else comes of it is one of two errors."""

import logging
import socket
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self

import httpcore2
import httpx2

from batchd.edges.api.connection import proxy_for
from batchd.edges.api.credentials import Credentials, authorization
from batchd.edges.api.no_success import StatusError, Unanswered
from batchd.errors import Late, Parked

_CONNECT: Final = 15.0
"""Seconds to reach the API at all."""
_READ_BYTES: Final = 1 << 18
"""Bytes that are read at one time, as many as asyncio reads: httpcore2's 64 KB take a third more processor time."""
httpcore2.AsyncHTTP11Connection.READ_NUM_BYTES = _READ_BYTES
_KEPT_ALIVE: Final = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 5),
]
"""So that a connection on which an answer is long in coming is not forgotten on its way, as the SDK has it."""


class Http:
    """Calls one place, with what it takes to be let in there."""

    def __init__(self, client: httpx2.AsyncClient, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    @classmethod
    @asynccontextmanager
    async def to(cls, credentials: Credentials, patience: float) -> AsyncIterator[Self]:
        """Make ready to call; nothing is sent yet.

        Args:
            credentials: Say where, too.
            patience: Seconds without a byte.
        """
        # It would tell of addresses and headers.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        proxy = proxy_for(httpx2.URL(credentials.base_url))
        transport = httpx2.AsyncHTTPTransport(
            # A server that drops idle connections just as they are used again makes creates doubtful for nothing.
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=8, keepalive_expiry=4.0),
            proxy=None if proxy is None else proxy.url,
            socket_options=_KEPT_ALIVE,
        )
        async with httpx2.AsyncClient(
            base_url=credentials.base_url,
            headers=credentials.headers,
            auth=credentials.auth,
            transport=transport,
            # No call of this API redirects, and a key must not follow one to another origin.
            follow_redirects=False,
            timeout=httpx2.Timeout(patience, connect=min(_CONNECT, patience)),
        ) as client:
            yield cls(client, credentials)

    @property
    def base_url(self) -> httpx2.URL:
        """Where all paths begin."""
        return self._client.base_url

    def use_key(self, key: str) -> None:
        """Make all further calls with another key."""
        self._client.headers.update(authorization(key))

    async def send(  # noqa: PLR0913  the parts of a call
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        stream: bool = False,
    ) -> httpx2.Response:
        """Make a call, once.

        Args:
            headers: Beside those of every call; they win over them.
            stream: Whether the body of the answer is left to the caller to read, and to close.

        Raises:
            StatusError: The answer is no success.
            Unanswered: There is none.
            Parked: What lets us in could not be had; nothing was sent.
        """
        request = self._client.build_request(method, path, headers=headers, params=params or None, content=content)
        try:
            response = await self._client.send(request, stream=stream)
        except self._credentials.errors as error:
            raise Parked(f"no credentials for the API ({type(error).__name__}): set ANTHROPIC_API_KEY") from error
        except Late:
            raise
        except Exception as error:
            raise Unanswered(request) from error
        if not response.is_success:
            if stream:
                try:
                    await response.aread()
                finally:
                    await response.aclose()
            raise StatusError(response)
        return response

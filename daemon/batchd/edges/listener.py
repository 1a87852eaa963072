"""Answers HTTP on an address or a socket: uvicorn's protocol, without its server, which takes signals."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import anyio

from batchd.errors import Unusable

Answer: TypeAlias = Callable[[], Awaitable[tuple[int, str, bytes]]]
"""Gives status, content type and body."""


@asynccontextmanager
async def listening(where: str, answers: Mapping[str, Answer]) -> AsyncIterator[str]:
    """Answer GET for as long as the block lasts.

    Args:
        where: `host:port`, or `unix:` and a path.
        answers: By path.

    Yields:
        Where it listens.

    Raises:
        Unusable: The address cannot be had.
    """
    from starlette.applications import Starlette  # noqa: PLC0415  a web server, which few daemons need
    from starlette.requests import Request  # noqa: PLC0415  same
    from starlette.responses import Response  # noqa: PLC0415  same
    from starlette.routing import Route  # noqa: PLC0415  same
    from uvicorn import Config  # noqa: PLC0415  same
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415  same
    from uvicorn.server import ServerState  # noqa: PLC0415  same

    def route(path: str, answer: Answer) -> Route:
        async def endpoint(_: Request) -> Response:
            status, kind, body = await answer()
            return Response(body, status, {"cache-control": "no-store"}, kind)

        return Route(path, endpoint, methods=["GET", "HEAD"])

    class Wire(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self.access_log = False
            self.logger = logging.getLogger("batchd.listener")

    app = Starlette(routes=[route(path, answer) for path, answer in answers.items()])
    config = Config(app, log_config=None, ws="none", server_header=False, proxy_headers=False, timeout_keep_alive=5)
    config.load()
    state = ServerState()
    server = await _bound(where, lambda: Wire(config, state, {}))
    try:
        yield where if where.startswith("unix:") else "{}:{}".format(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in set(state.tasks):
            task.cancel()
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await server.wait_closed()
        _remove(where)


def _remove(where: str) -> None:
    if where.startswith("unix:"):
        with suppress(OSError):
            Path(where.removeprefix("unix:")).unlink()


async def _bound(where: str, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        if where.startswith("unix:"):
            return await loop.create_unix_server(protocol, where.removeprefix("unix:"))
        host, _, port = where.rpartition(":")
        return await loop.create_server(protocol, host.strip("[]"), int(port))
    except OSError as error:
        reason = error.strerror or "it cannot be had"
        raise Unusable(f"metrics.listen = {where!r}: {reason}; choose another address") from None

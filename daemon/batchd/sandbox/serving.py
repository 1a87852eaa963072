"""Puts the sandbox on a socket: uvicorn's protocol without its server, which would take signals and write logs."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import h11
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from batchd.sandbox.admission import Admission
from batchd.sandbox.endpoint import Sandbox
from batchd.sandbox.faults import Faults
from batchd.sandbox.ledger import Ledger
from batchd.sandbox.script import Script
from batchd.sandbox.server import application
from batchd.sandbox.settings import SandboxSettings

_GRACE = 0.5
"""Seconds for calls to notice that their connection is gone."""


@dataclass(frozen=True, slots=True)
class SandboxServer:
    """A sandbox that listens."""

    base_url: str
    """What a client is given, such as `http://127.0.0.1:49152`."""
    ledger: Ledger
    faults: Faults
    admission: Admission


class _Wire(H11Protocol):
    """One connection, which lets faults reach the socket beneath it, and keeps its log to itself."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.app_state = {**self.app_state, "wire": transport}
        self.access_log = False
        self.logger = logging.getLogger("batchd.sandbox")
        self._wait_for_a_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_a_request()

    def _wait_for_a_request(self) -> None:
        """Hang up on who asks nothing, or begins to ask and does not go on: connections are few."""
        if (
            self.conn.their_state is h11.IDLE
            and self.timeout_keep_alive_task is None
            and not self.transport.is_closing()
        ):
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


def create_app(settings: SandboxSettings, now: Callable[[], float] = time.time) -> Starlette:
    """The sandbox as an ASGI application; faults that drop connections need `serve`.

    Args:
        now: Unix seconds; everything that passes in time follows it.
    """
    return application(Sandbox(settings, now))


@asynccontextmanager
async def serve(
    settings: SandboxSettings, now: Callable[[], float] = time.time, script: Script | None = None
) -> AsyncIterator[SandboxServer]:
    """Run the sandbox in this event loop, for as long as the block lasts.

    It takes no signals, logs nothing but its own bugs, and at the end drops whatever connection is still open.

    Args:
        now: Unix seconds; everything that passes in time follows it.
        script: Of a test, which also gathers what is asked.
    """
    sandbox = Sandbox(settings, now, script)
    state = ServerState()
    config = Config(
        application(sandbox),
        log_config=None,
        ws="none",
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive,
    )
    config.load()
    loop = asyncio.get_running_loop()
    try:
        listener = await loop.create_server(lambda: _Wire(config, state, {}), settings.host, settings.port)
        try:
            port = listener.sockets[0].getsockname()[1]
            yield SandboxServer(f"http://{settings.host}:{port}", sandbox.ledger, sandbox.faults, sandbox.admission)
        finally:
            with anyio.CancelScope(shield=True):
                await _close(listener, state, sandbox)
    finally:
        sandbox.close()


async def _close(listener: asyncio.Server, state: ServerState, sandbox: Sandbox) -> None:
    listener.close()
    for connection in list(state.connections):
        connection.transport.abort()
    sandbox.book.close()
    if state.tasks:
        _, late = await asyncio.wait(set(state.tasks), timeout=_GRACE)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
    await listener.wait_closed()

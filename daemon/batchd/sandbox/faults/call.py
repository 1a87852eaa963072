"""One call that something goes wrong with, and what can be done to it."""

import socket
import struct
from asyncio import Transport
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchd.sandbox.faults.plan import Fault


@dataclass(slots=True)
class Caught:
    """An answer that did not go out."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, message: Message) -> None:
        """Catch one event of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        else:
            self.body += message.get("body", b"")

    def start(self) -> Message:
        """Its status and headers, as they would have gone out."""
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that something goes wrong with."""

    fault: Fault
    app: ASGIApp
    """What would answer it."""
    scope: Scope
    receive: Receive
    send: Send

    @property
    def request_id(self) -> str:
        """As in the `request-id` header."""
        return str(self.scope["request_id"])

    async def work(self) -> Caught:
        """Let the call have its effect, and keep the answer from the caller."""
        caught = Caught()
        await self.app(self.scope, self.receive, caught.send)
        return caught

    async def go_on(self) -> None:
        """Let the call be answered as it would have been."""
        await self.app(self.scope, self.receive, self.send)

    async def read(self) -> None:
        """Read the body to its end and forget it."""
        while (message := await self.receive())["type"] == "http.request":
            if not message.get("more_body"):
                return

    async def answer(self, response: Response) -> None:
        """Answer with this."""
        await response(self.scope, self.receive, self.send)

    async def hang_up(self, *, reset: bool = False) -> None:
        """Drop the connection, and wait until it is gone so that nobody answers any more."""
        wire = self.scope.get("state", {}).get("wire")
        if not isinstance(wire, Transport):
            raise TypeError("connections can be dropped only under serve()")
        if reset:
            plug = wire.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.abort()
        while (await self.receive())["type"] != "http.disconnect":
            pass

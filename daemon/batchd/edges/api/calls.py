"""The calls of the API, as all rooms make them: the first imports what it takes to make them.

That is an HTTP client, or the SDK where that must find what lets us in; a daemon that has nothing to do does without.
"""

import gc
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Self, TypeAlias

import anyio
from anyio import to_thread

from batchd.edges.api.credentials import key_at_hand
from batchd.edges.api.meter import Meter
from batchd.edges.clock import Clock
from batchd.model import RemoteBatch, RemoteId

if TYPE_CHECKING:
    from batchd.edges.api.client import Client
    from batchd.edges.api.download import Told
    from batchd.edges.api.responses import Page
    from batchd.edges.api.shared_rate_limiter import Quota

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager["Client"]]


class Api:
    """The Message Batches API, called at most so many times a minute; `client.py` says what a call does and raises."""

    def __init__(
        self, connect: Callable[[str | None], Connect], connected: AsyncExitStack, key: str | None, meter: Meter
    ) -> None:
        self._connect = connect
        self._connected = connected
        self._key = key
        self.meter = meter
        self._importing = anyio.Lock()
        self._client: Client | None = None

    @classmethod
    @asynccontextmanager
    async def connect(  # noqa: PLR0913  all that it is to be
        cls,
        *,
        key: str | None,
        base_url: str,
        per_minute: int,
        patience: float,
        clock: Clock,
        meter: Meter | None = None,
        quota: "Quota | None" = None,
    ) -> AsyncIterator[Self]:
        """Make ready to call the API; nothing is sent yet.

        Args:
            key: The API key; None for whatever the SDK finds.
            base_url: Where the API is; empty for whatever the SDK finds.
            per_minute: Calls a minute at the most, all kinds together.
            patience: Seconds without a byte.
            clock: By which calls are spaced.
            meter: Where calls are counted, where that is together with those of others.
            quota: Out of which the calls of a minute are taken, where other processes take from it, too.

        Raises:
            Unusable: There is no key.
        """
        meter = meter or Meter()

        def connect(key: str | None) -> Connect:
            from batchd.edges.api.client import Client  # noqa: PLC0415  an HTTP client

            # What was imported stays: looking it all over stops every thread for 0.1 s.
            gc.freeze()
            return partial(
                Client.connect,
                key=key,
                base_url=base_url,
                per_minute=per_minute,
                patience=patience,
                clock=clock,
                meter=meter,
                quota=quota,
            )

        async with AsyncExitStack() as connected:
            api = cls(connect, connected, key, meter)
            if key_at_hand(key) is None:
                await api.client()
            yield api

    async def client(self) -> "Client":
        """What makes the calls, with all that it needs, which is imported in a thread."""
        async with self._importing:
            if self._client is None:
                connect = await to_thread.run_sync(self._connect, self._key)
                self._client = await self._connected.enter_async_context(connect())
            return self._client

    @property
    def prepared(self) -> bool:
        """Whether what makes the calls was imported."""
        return self._client is not None

    async def prepare(self) -> None:
        """Import what makes the calls before it is needed, since it soon will be."""
        await self.client()

    @property
    def origin(self) -> str:
        """Scheme, host, port and path of the API, without what may be secret in its address; known from a call on."""
        if self._client is None:
            raise LookupError("no call was made yet")
        return self._client.origin

    async def create(
        self,
        body: AsyncIterable[bytes],
        length: int,
        betas: tuple[str, ...],
        *,
        deadline: float,
        version: str | None = None,
    ) -> RemoteBatch:
        """Send a batch, once."""
        client = await self.client()
        with self.meter.call("create"):
            return await client.create(body, length, betas, deadline=deadline, version=version)

    @asynccontextmanager
    async def stream(
        self,
        body: bytes,
        betas: tuple[str, ...],
        *,
        ready: Callable[[], Awaitable[None]],
        version: str | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send a single message, once, and open its answer as a stream of bytes."""
        client = await self.client()
        async with AsyncExitStack() as opened:
            with self.meter.call("message"):  # until it begins to answer
                pieces = await opened.enter_async_context(client.stream(body, betas, ready=ready, version=version))
            yield pieces

    async def limit(self, per_minute: int) -> None:
        """Make at most so many calls in a minute from now on."""
        (await self.client()).limit(per_minute)

    def use_key(self, key: str) -> None:
        """Make all further calls with another key."""
        self._key = key
        if self._client is not None:
            self._client.use_key(key)

    async def retrieve(self, remote: RemoteId, *, key: str | None = None) -> RemoteBatch:
        """Ask after a batch; with a key, by that one."""
        client = await self.client()
        with self.meter.call("retrieve"):
            return await client.retrieve(remote, key=key)

    async def page(self, *, limit: int, after: RemoteId | None = None) -> "Page":
        """Read one page of the list, newest first."""
        client = await self.client()
        with self.meter.call("list"):
            return await client.page(limit=limit, after=after)

    async def cancel(self, remote: RemoteId) -> RemoteBatch:
        """Ask the API to stop a batch; what it has finished is charged and delivered all the same."""
        client = await self.client()
        with self.meter.call("cancel"):
            return await client.cancel(remote)

    @asynccontextmanager
    async def results(
        self, remote: RemoteId, url: str | None, told: "Told | None" = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the results of an ended batch as a stream of bytes."""
        client = await self.client()
        async with AsyncExitStack() as opened:
            with self.meter.call("results"):  # until it begins to answer
                pieces = await opened.enter_async_context(client.results(remote, url, told))
            yield pieces

    async def count_tokens(self, body: bytes, betas: tuple[str, ...]) -> int:
        """Count the tokens of a prompt, free of charge."""
        client = await self.client()
        with self.meter.call("count"):
            return await client.count_tokens(body, betas)

    async def models(self) -> list[str]:
        """Name the models that the key may use: the cheapest call that proves reach and key."""
        return await (await self.client()).models()

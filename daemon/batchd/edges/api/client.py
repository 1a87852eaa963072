"""The calls of the Message Batches API.

What costs money is never repeated in here: an unanswered create cannot be told from a batch that was made, and a second
one would be paid for, too. What changes nothing is asked once more where a server hung up on it.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Self

import anyio
import httpx2
import msgspec

from batchd.edges.api.credentials import authorization, found
from batchd.edges.api.download import Download, Told
from batchd.edges.api.http import Http
from batchd.edges.api.meter import Meter
from batchd.edges.api.rate_limiter import RateLimiter
from batchd.edges.api.responses import BatchAnswer, CountAnswer, Page, PageAnswer, decoded, organization_of, remote_of
from batchd.edges.api.shared_rate_limiter import Quota, SharedRateLimiter
from batchd.edges.api.troubles import counting, create_trouble, date_of, message_trouble, reading, sending
from batchd.edges.api.wording import LONGEST_SENT
from batchd.edges.clock import Clock
from batchd.errors import Disconnected, Gone, Late
from batchd.model import BETA_300K, RemoteBatch, RemoteId

_MESSAGES = "/v1/messages"
_BATCHES = f"{_MESSAGES}/batches"


class Client:
    """The Message Batches API, called at most so many times a minute."""

    def __init__(self, http: Http, per_minute: int, clock: Clock, meter: Meter, quota: Quota | None = None) -> None:
        self._http = http
        self._clock = clock
        self._rate_limiter: RateLimiter | SharedRateLimiter = (
            RateLimiter(per_minute, clock, meter)
            if quota is None
            else SharedRateLimiter(per_minute, clock, meter, quota)
        )

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
        meter: Meter,
        quota: Quota | None = None,
    ) -> AsyncIterator[Self]:
        """Make ready to call the API, as `Api.connect` says; nothing is sent yet.

        Raises:
            Unusable: There is no key.
        """
        async with found(key, base_url) as credentials, Http.to(credentials, patience) as http:
            yield cls(http, per_minute, clock, meter, quota)

    @property
    def origin(self) -> str:
        """Scheme, host, port and path of the API, without what may be secret in its address."""
        url = self._http.base_url
        return f"{url.scheme}://{url.netloc.decode()}{url.path}".rstrip("/")

    async def create(
        self,
        body: AsyncIterable[bytes],
        length: int,
        betas: tuple[str, ...],
        *,
        deadline: float,
        version: str | None = None,
    ) -> RemoteBatch:
        """Send a batch, once.

        Args:
            body: The JSON, in pieces.
            length: Its bytes in all.
            betas: Beta headers of the whole batch.
            deadline: Of the clock; where the first byte would leave later, none does.
            version: Of the API; None for the usual one.

        Raises:
            Refused: The API will never take it; nothing was created. `TooLarge` when it must be smaller.
            Parked: Key or money; nothing was created.
            Unavailable: Not now; surely nothing was created.
            InDoubt: A batch may have been created.
        """
        headers = _headers(betas, version) | {"content-length": str(length)}
        copy = bytearray() if length <= LONGEST_SENT else None
        with sending("create", create_trouble, lambda: None if copy is None else bytes(copy)):
            async with self._rate_limiter.slot():
                content = self._in_time(body, deadline, copy)
                response = await self._http.send("POST", _BATCHES, headers=headers, content=content)
            return remote_of(decoded(response, BatchAnswer), response)

    @asynccontextmanager
    async def stream(
        self,
        body: bytes,
        betas: tuple[str, ...],
        *,
        ready: Callable[[], Awaitable[None]],
        version: str | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send a single message, once, and open its answer as a stream of bytes.

        Args:
            body: The JSON, with `stream` in it.
            betas: Beta headers.
            ready: Called when its turn has come, just before anything is sent.
            version: Of the API; None for the usual one.

        Raises:
            Refused: The API will never take it.
            Parked: Key or money; nothing was begun.
            Unavailable: Not now; the API says so itself, or was not reached.
            InDoubt: Nobody knows what was begun, or the answer was cut off.
        """
        headers = _headers(betas, version)
        with sending("message", message_trouble, lambda: body):
            async with self._rate_limiter.slot():
                await ready()
                response = await self._http.send("POST", _MESSAGES, headers=headers, content=body, stream=True)
            try:
                yield response.aiter_bytes()
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()

    def limit(self, per_minute: int) -> None:
        """Make at most so many calls in a minute from now on."""
        self._rate_limiter.per_minute = per_minute

    def use_key(self, key: str) -> None:
        """Make all further calls with another key."""
        self._http.use_key(key)

    async def retrieve(self, remote: RemoteId, *, key: str | None = None) -> RemoteBatch:
        """Ask after a batch.

        Args:
            remote: Its id.
            key: Asked with this one; None for the one that all calls are made with.

        Raises:
            Gone: The API does not know it; may pass.
            Unavailable: Not now; `Parked` for key or money.
            Refused: The API will not say.
        """
        response = await self._get(f"{_BATCHES}/{remote}", key=key)
        return remote_of(decoded(response, BatchAnswer), response)

    async def page(self, *, limit: int, after: RemoteId | None = None) -> Page:
        """Read one page of the list, newest first.

        Args:
            limit: Batches on it at the most, 1 to 1000.
            after: The last batch of the page before.

        Raises:
            Gone: The server has no such list.
            Unavailable: Not now; `Parked` for key or money.
            Refused: The API will not say.
        """
        params: dict[str, str | int] = {"limit": limit} | ({"after_id": after} if after else {})
        response = await self._get(_BATCHES, params=params)
        page = decoded(response, PageAnswer)
        batches = [remote_of(batch, response) for batch in page.data]
        more = page.has_more and bool(batches)
        return Page(batches, batches[-1].id if more else None, date_of(response), organization_of(response))

    async def _in_time(
        self, body: AsyncIterable[bytes], deadline: float, copy: bytearray | None
    ) -> AsyncIterator[bytes]:
        if self._clock.now() > deadline:
            raise Late
        async for piece in body:
            if copy is not None:
                copy += piece
            yield piece

    async def cancel(self, remote: RemoteId) -> RemoteBatch:
        """Ask the API to stop a batch; what it has finished is charged and delivered all the same.

        Args:
            remote: Its id.

        Raises:
            Gone: The API does not know it.
            Unavailable: Not now; asking again is harmless. `Parked` for key or money.
            Refused: It cannot be cancelled, since it has ended.
        """
        response = await self._asked(lambda: self._http.send("POST", f"{_BATCHES}/{remote}/cancel"))
        return remote_of(decoded(response, BatchAnswer), response)

    @asynccontextmanager
    async def results(
        self, remote: RemoteId, url: str | None, told: Told | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the results of an ended batch as a stream of bytes, which goes on behind a cut if the server can do so.

        Args:
            remote: Its id.
            url: Where the API says they are; where they always are if it does not say, or names another origin than
                its own, which must not be given the key.
            told: Is told of each cut.

        Raises:
            Gone: There are none (yet, or any more).
            Unavailable: Not now, or cut off in the middle.
        """
        usual = f"{_BATCHES}/{remote}/results"
        named = self._if_same_origin(url) or usual

        async def opens(at: int) -> httpx2.Response:
            try:
                return await self._opened(named, at)
            except Gone:
                if named == usual:
                    raise
                # A gateway below a path may name the results as if it were at the root.
                return await self._opened(usual, at)

        async with Download(opens, self._clock, told) as pieces:
            yield pieces

    async def _opened(self, where: str, at: int) -> httpx2.Response:
        headers = {"accept": "application/x-jsonl"}
        if at:
            # Of the bytes as they are, not of a compressed form of them.
            headers |= {"range": f"bytes={at}-", "accept-encoding": "identity"}

        return await self._asked(lambda: self._http.send("GET", where, headers=headers, stream=True))

    async def count_tokens(self, body: bytes, betas: tuple[str, ...]) -> int:
        """Count the tokens of a prompt, free of charge.

        Args:
            body: From `decisions.money.countable`.
            betas: Beta headers; that of long answers is no use here.

        Raises:
            Refused: The API will not count it.
            Gone: The server does not count.
            Unavailable: Not now; `Parked` for key or money.
        """
        headers = _headers(tuple(beta for beta in betas if beta != BETA_300K), None)
        with counting(body):
            async with self._rate_limiter.slot():
                response = await self._http.send("POST", f"{_MESSAGES}/count_tokens", headers=headers, content=body)
        return decoded(response, CountAnswer).input_tokens

    async def models(self) -> list[str]:
        """Name the models that the key may use: the cheapest call that proves reach and key.

        Raises:
            Unavailable: Not reached; `Parked` for key or money.
        """
        response = await self._get("/v1/models", params={"limit": 100})

        class Model(msgspec.Struct):
            id: str

        class Models(msgspec.Struct):
            data: list[Model]

        return [model.id for model in decoded(response, Models).data]

    def _if_same_origin(self, url: str | None) -> str | None:
        here = self._http.base_url
        try:
            there = here.join(url or "")
        except (httpx2.InvalidURL, ValueError):
            return None
        same = (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
        return str(there) if url and same else None

    async def _get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, key: str | None = None
    ) -> httpx2.Response:
        headers = {} if key is None else authorization(key)
        return await self._asked(lambda: self._http.send("GET", path, headers=headers, params=params))

    async def _asked(self, call: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
        """Make a call that may be repeated without harm: once more where the server drops an idle connection."""
        try:
            with reading():
                async with self._rate_limiter.slot():
                    return await call()
        except Disconnected:
            with reading():
                async with self._rate_limiter.slot():
                    return await call()


def _headers(betas: tuple[str, ...], version: str | None) -> dict[str, str]:
    """What a call with a body says beside it; the usual version goes where none is said here."""
    said = {"anthropic-beta": ",".join(betas), "anthropic-version": version}
    return {"content-type": "application/json"} | {name: value for name, value in said.items() if value}

"""The edge to the API: the only room that imports `anthropic`. It makes calls and sorts their errors.

Facts: the Message Batches API reference, and the SDK's source (2.12). Nothing is ever retried in here: the SDK would
repeat an unanswered create, which nobody could tell from a second batch, and pay for it twice.
"""

import logging
import math
import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar, cast

import anthropic
import anyio
import httpx2
import msgspec

from daemon.edges.clock import Bell, Clock
from daemon.errors import Garbled, Gone, InDoubt, Parked, Refused, TooLarge, Unavailable, Unusable
from daemon.model import Counts, RemoteBatch, RemoteId

T = TypeVar("T")

_BATCHES = "/v1/messages/batches"
_SPEND_LIMIT = "You have reached your specified"
"""How the message of an organization's or workspace's own spend limit begins; it comes as a 400."""
_KIND = re.compile(r"[a-z_]{1,40}")
_MINUTE = 60.0
_LONGEST_RETRY_AFTER = 3600.0
"""Seconds; who asks for more is asked again all the same."""
_CONNECT = 15.0
"""Seconds to reach the API at all."""


class _Wire(msgspec.Struct, frozen=True):
    """A batch as JSON; everything but the id may be absent, since gateways leave things out."""

    id: str
    processing_status: str = "in_progress"
    request_counts: Counts = Counts()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    archived_at: datetime | None = None
    results_url: str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Wire]
    has_more: bool = False
    last_id: str | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of the API's list, newest first."""

    batches: list[RemoteBatch]
    next_after: RemoteId | None
    """Where the next page begins; None on the last one."""
    server_time: float | None


class Api:
    """The Message Batches API, called at most so many times a minute."""

    def __init__(self, client: anthropic.AsyncAnthropic, per_minute: int, clock: Clock) -> None:
        self._client = client
        self._turnstile = Turnstile(per_minute, clock)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, *, key: str | None, base_url: str, per_minute: int, patience: float, clock: Clock
    ) -> AsyncIterator[Self]:
        """Make ready to call the API; nothing is sent yet.

        Args:
            key: The API key; None for whatever the SDK finds.
            base_url: Where the API is; empty for whatever the SDK finds.
            per_minute: Calls a minute at the most, all kinds together.
            patience: Seconds without a byte.
            clock: By which calls are spaced.

        Raises:
            Unusable: There is no key.
        """
        for library in ("anthropic", "httpx2"):
            # ANTHROPIC_LOG=debug makes the SDK print prompts.
            logging.getLogger(library).setLevel(logging.WARNING)
        http = anthropic.DefaultAsyncHttpxClient(
            # No call of this API redirects, and a key must not follow one to another origin.
            follow_redirects=False,
            timeout=httpx2.Timeout(patience, connect=min(_CONNECT, patience)),
            # A server that drops idle connections just as they are used again makes creates doubtful for nothing.
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=8, keepalive_expiry=4.0),
        )
        client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=base_url or None,
            max_retries=0,
            http_client=http,
            # Traces could carry prompts.
            open_telemetry=False,
        )
        async with client:
            if client.api_key is None and client.auth_token is None and client.credentials is None:
                raise Unusable("no key for the API: set ANTHROPIC_API_KEY (`batchd demo` needs none)")
            yield cls(client, per_minute, clock)

    async def create(self, body: AsyncIterable[bytes], length: int, betas: tuple[str, ...]) -> RemoteBatch:
        """Send a batch, once.

        Args:
            body: The JSON, in pieces.
            length: Its bytes in all.
            betas: Beta headers of the whole batch.

        Raises:
            Refused: The API will never take it; nothing was created. `TooLarge` when it must be smaller.
            Parked: Key or money; nothing was created.
            Unavailable: Not now; surely nothing was created.
            InDoubt: A batch may have been created.
        """
        headers = {"content-type": "application/json", "content-length": str(length)}
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
        try:
            async with self._turnstile.passage():
                response = await self._client.post(
                    _BATCHES,
                    content=body,
                    cast_to=httpx2.Response,
                    options={"headers": headers, "max_retries": 0},
                )
            return _remote(_decode(response, _Wire), response)
        except anthropic.APIStatusError as error:
            raise _create_error(error) from error
        except anthropic.APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
                raise Unavailable(f"the API cannot be reached ({type(cause).__name__})") from error
            raise InDoubt(f"no answer to a create ({type(cause or error).__name__})") from error
        except Garbled as error:
            raise InDoubt("the answer to a create cannot be read") from error
        except httpx2.HTTPError as error:
            raise InDoubt(f"no whole answer to a create ({type(error).__name__})") from error
        except anthropic.AnthropicError as error:
            raise _no_credentials(error) from error

    async def retrieve(self, remote: RemoteId) -> RemoteBatch:
        """Ask after a batch.

        Args:
            remote: Its id.

        Raises:
            Gone: The API does not know it; may pass.
            Unavailable: Not now; `Parked` for key or money.
            Refused: The API will not say.
        """
        response = await self._get(f"{_BATCHES}/{remote}")
        return _remote(_decode(response, _Wire), response)

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
        params: dict[str, object] = {"limit": limit} | ({"after_id": after} if after else {})
        response = await self._get(_BATCHES, params=params)
        page = _decode(response, _Page)
        batches = [_remote(batch, response) for batch in page.data]
        more = page.has_more and bool(batches)
        return Page(batches, batches[-1].id if more else None, _date(response))

    async def newer_than(self, old_enough: Callable[[RemoteBatch], bool]) -> tuple[list[RemoteBatch], float | None]:
        """List batches, newest first, until one is old enough to stop.

        Args:
            old_enough: Whether this batch and all after it need not be seen.

        Returns:
            The batches, and the server's time of the last page.
        """
        found: list[RemoteBatch] = []
        seen: set[RemoteId] = set()
        after: RemoteId | None = None
        while True:
            page = await self.page(limit=100, after=after)
            for batch in page.batches:
                if old_enough(batch):
                    return found, page.server_time
                if batch.id not in seen:
                    found.append(batch)
            # A gateway that pages in circles shows nothing new.
            if page.next_after is None or page.next_after in seen:
                return found, page.server_time
            seen.update(batch.id for batch in page.batches)
            after = page.next_after

    async def cancel(self, remote: RemoteId) -> RemoteBatch:
        """Ask the API to stop a batch; what it has finished is charged and delivered all the same.

        Args:
            remote: Its id.

        Raises:
            Gone: The API does not know it.
            Unavailable: Not now; asking again is harmless. `Parked` for key or money.
            Refused: It cannot be cancelled, since it has ended.
        """
        with _read_errors():
            async with self._turnstile.passage():
                response = await self._client.post(f"{_BATCHES}/{remote}/cancel", cast_to=httpx2.Response)
            return _remote(_decode(response, _Wire), response)

    @asynccontextmanager
    async def results(self, remote: RemoteId, url: str | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the results of an ended batch as a stream of bytes.

        Args:
            remote: Its id.
            url: Where the API says they are; where they always are if it does not say, or names another origin than
                its own, which must not be given the key.

        Raises:
            Gone: There are none (yet, or any more).
            Unavailable: Not now, or cut off in the middle.
        """
        where = self._if_same_origin(url) or f"{_BATCHES}/{remote}/results"
        with _read_errors():
            async with self._turnstile.passage():
                stream: object = await self._client.get(
                    where,
                    cast_to=httpx2.Response,
                    options={"headers": {"accept": "application/x-jsonl"}, "max_retries": 0},
                    stream=True,
                    stream_cls=anthropic.AsyncStream[Any],
                )
        response = cast("httpx2.Response", stream)
        try:
            yield _bytes_of(response)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

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

        return [model.id for model in _decode(response, Models).data]

    def _if_same_origin(self, url: str | None) -> str | None:
        here = httpx2.URL(str(self._client.base_url))
        try:
            there = here.join(url or "")
        except (httpx2.InvalidURL, ValueError):
            return None
        same = (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
        return str(there) if url and same else None

    async def _get(self, path: str, params: dict[str, object] | None = None) -> httpx2.Response:
        with _read_errors():
            async with self._turnstile.passage():
                return await self._client.get(
                    path, cast_to=httpx2.Response, options={"params": params or {}, "max_retries": 0}
                )


class Turnstile:
    """Lets so many through in any minute of the server's, first come first served.

    When a call arrived there, nobody here knows but this: not after its answer came. So that is when its minute begins.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._within = 0
        self._left: deque[float] = deque()
        self._somebody_left = Bell()
        self._queue = anyio.Lock()

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait for one's turn; the call is made within."""
        async with self._queue:
            while self._within + len(self._left) >= self._per_minute:
                await self._make_room()
            self._within += 1
        try:
            yield
        finally:
            self._within -= 1
            self._left.append(self._clock.now())
            self._somebody_left.ring()

    async def _make_room(self) -> None:
        if self._left:
            await self._clock.sleep(self._left[0] + _MINUTE - self._clock.now())
            self._left.popleft()
        else:
            await self._somebody_left.wait()


async def _bytes_of(response: httpx2.Response) -> AsyncIterator[bytes]:
    with _read_errors():
        async with aclosing(response.aiter_bytes()) as pieces:
            async for piece in pieces:
                yield piece


@contextmanager
def _read_errors() -> Iterator[None]:
    """Sort the errors of a call that changes nothing, or may be repeated without harm."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise _read_error(error) from error
    except anthropic.APIConnectionError as error:
        raise Unavailable(f"the API did not answer ({type(error.__cause__ or error).__name__})") from error
    except httpx2.HTTPError as error:
        raise Unavailable(f"the connection was lost ({type(error).__name__})") from error
    except anthropic.AnthropicError as error:
        raise _no_credentials(error) from error


def _create_error(error: anthropic.APIStatusError) -> Exception:
    """Sort what a server said to a create: whether it surely made nothing is what matters."""
    match error.status_code:
        case 413:
            return TooLarge("the batch is too large for the API", "request_too_large")
        case 400 | 401 | 402 | 403 | 404 | 422 | 429 if isinstance(error.body, dict):
            found = _read_error(error)
            return Parked("no batches at this address (404): see api.base_url") if isinstance(found, Gone) else found
        case status if status in range(300, 400):
            return Parked(f"the API redirects elsewhere ({status}): see api.base_url")
        case status:
            return InDoubt(f"no certain answer to a create (HTTP {status})")


def _read_error(error: anthropic.APIStatusError) -> Exception:  # noqa: PLR0911  a table of statuses
    kind, said = _kind(error), _message(error)
    if error.error_code == "enforced_spend_limit_reached" or said.startswith(_SPEND_LIMIT):
        return Parked(f"the spend limit is reached ({kind}): raise it in the Console, or wait for the next month")
    match error.status_code:
        case 401 | 403:
            return Parked(f"the API does not take the key ({error.status_code} {kind}): check it with `batchd doctor`")
        case 402:
            return Parked(f"the account cannot pay ({kind}): see Billing in the Console")
        case 404:
            return Gone(f"not found ({kind})")
        case 429 | 529:
            return Unavailable(f"the API is busy ({error.status_code} {kind})", _retry_after(error.response))
        case 400 | 422:
            return Refused(said or "refused without a reason", kind)
        case status:
            return Unavailable(f"the API answered HTTP {status}", _retry_after(error.response))


def _kind(error: anthropic.APIStatusError) -> str:
    """Its `error.type`, which is shown and logged: only what looks like one, since a gateway may say anything there."""
    kind = str(error.type or "")
    return kind if _KIND.fullmatch(kind) else f"HTTP {error.status_code}"


def _message(error: anthropic.APIStatusError) -> str:
    """What the server said; gateways say it flat, or as `detail`."""
    if error.api_message:
        return str(error.api_message)
    body = error.body if isinstance(error.body, dict) else {}
    return next((str(body[key]) for key in ("message", "detail") if isinstance(body.get(key), str)), "")


def _retry_after(response: httpx2.Response) -> float | None:
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        then, now = _moment(said), _date(response)
        seconds = math.nan if then is None or now is None else then - now
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _no_credentials(error: anthropic.AnthropicError) -> Parked:
    return Parked(f"no credentials for the API ({type(error).__name__}): set ANTHROPIC_API_KEY")


def _decode(response: httpx2.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(f"the API's answer cannot be read ({type(error).__name__})") from error


def _remote(batch: _Wire, response: httpx2.Response) -> RemoteBatch:
    server_time = _date(response)

    def seconds(when: datetime | None) -> float | None:
        return None if when is None else when.timestamp()

    return RemoteBatch(
        id=RemoteId(batch.id),
        status=batch.processing_status,
        counts=batch.request_counts,
        # One without a date counts as new, so that it is looked at rather than passed over.
        created_at=seconds(batch.created_at) or server_time or float("inf"),
        expires_at=seconds(batch.expires_at),
        ended_at=seconds(batch.ended_at),
        archived_at=seconds(batch.archived_at),
        results_url=batch.results_url,
        server_time=server_time,
    )


def _date(response: httpx2.Response) -> float | None:
    return _moment(response.headers.get("date", ""))


def _moment(said: str) -> float | None:
    try:
        return parsedate_to_datetime(said).timestamp()
    except (ValueError, OverflowError):
        return None

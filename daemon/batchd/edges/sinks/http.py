"""HTTP for sinks: the address that a name leads to is looked at, and that very one is used; nothing else is followed.

No proxy, no redirect, no cookie. What is answered is read to a bound, and shown nowhere.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from ssl import SSLContext
from typing import Final

import anyio
import httpx2
from anyio import to_thread

from batchd.decisions.notices.addresses import Address, objection

CONNECT: Final = 5.0
"""Seconds for a connection."""
WHOLE: Final = 15.0
"""Seconds for all of it."""
_MOST: Final = 64_000
"""Bytes of an answer that are read."""
_PORTS: Final = {"http": 80, "https": 443}
_TRUST = anyio.Lock()


class Unsent(Exception):
    """Nothing was answered; its text says why, and tells nothing of the address but its host."""


async def call(method: str, url: str, *, private: bool, headers: Mapping[str, str], body: bytes = b"") -> int:
    """Send a request, and return the status of its answer.

    Args:
        method: GET or POST.
        url: Of the settings.
        private: Whether it may lead to this machine or a private network.
        headers: All that matter beside `Host`.
        body: To be sent.

    Raises:
        Unsent: Nothing was answered.
    """
    target = httpx2.URL(url)
    try:
        with anyio.fail_after(WHOLE):
            trust = await _trusted()
            *others, last = await _addresses(target, private=private)
            for address in others:
                with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                    return await _call(method, target, address, trust, headers, body)
            return await _call(method, target, last, trust, headers, body)
    except TimeoutError:
        raise Unsent("it did not answer in time") from None
    except httpx2.TimeoutException:
        raise Unsent("it did not answer in time") from None
    except httpx2.ConnectError:
        raise Unsent("it cannot be reached") from None
    except httpx2.HTTPError as error:
        raise Unsent(f"the connection was lost ({type(error).__name__})") from None


async def _call(  # noqa: PLR0913  all of a request
    method: str, target: httpx2.URL, address: Address, trust: SSLContext, headers: Mapping[str, str], body: bytes
) -> int:
    async with (
        # A connection is used once: the next name may lead to the same address, and be another's.
        httpx2.AsyncClient(
            verify=trust,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(WHOLE, connect=CONNECT),
            limits=httpx2.Limits(max_keepalive_connections=0),
        ) as client,
        client.stream(
            method,
            target.copy_with(host=str(address)),
            headers={**headers, "Host": target.netloc.decode("ascii"), "User-Agent": "batchd"},
            content=body,
            extensions={"sni_hostname": target.host},
        ) as response,
    ):
        size = 0
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > _MOST:
                break
        return response.status_code


async def _addresses(target: httpx2.URL, *, private: bool) -> list[Address]:
    """Look up a name, and keep the addresses that may be used.

    Raises:
        Unsent: There is none.
    """
    port = target.port or _PORTS[target.scheme]
    try:
        found = await anyio.getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unsent(f"the name {target.host} was not found") from None
    addresses = [ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
    objections = {address: objection(address, private=private) for address in addresses}
    if allowed := [address for address, why in objections.items() if why is None]:
        return allowed
    raise Unsent(next((why for why in objections.values() if why), f"the name {target.host} was not found"))


async def _trusted() -> SSLContext:
    async with _TRUST:  # reading all authorities takes a while
        return await to_thread.run_sync(_context)


@lru_cache(maxsize=1)
def _context() -> SSLContext:
    return httpx2.create_ssl_context()

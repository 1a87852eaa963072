"""Why a connection could not be made or was lost, in words that say what to look at."""

import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx2

from batchd.errors import Disconnected, Unavailable, Unreachable

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The names of this machine, which no proxy leads to."""

_NEVER_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
"""What is raised before the first byte of a request has left."""

_DROPPED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError, httpx2.CloseError)
"""What is raised where the other side has closed a connection, perhaps an idle one that we meant to use again."""


class Proxy(NamedTuple):
    """A proxy that the environment names."""

    variable: str
    url: str


def proxy_for(url: httpx2.URL) -> Proxy | None:
    """Find the proxy that leads to an address; None where there is none.

    This machine is never behind one, so that the sandbox is reached where one is set for the rest.
    """
    if is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    scheme = next((each for each in (url.scheme, "all") if proxies.get(each)), None)
    if scheme is None:
        return None
    named = proxies[scheme]
    return Proxy(f"{scheme}_proxy".upper(), named if "://" in named else f"http://{named}")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that no proxy may come in between."""
    return host in LOOPBACK


def trouble_of(error: Exception) -> Unavailable:
    """Say why the API was not reached, or how the connection was lost: `Unreachable` where surely nothing was sent."""
    cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__
    request = getattr(cause, "_request", None) or getattr(error, "request", None)
    where = request.url if isinstance(request, httpx2.Request) else None
    if isinstance(cause, _NEVER_CONNECTED):
        return _unreachable(cause, where)
    if isinstance(cause, _DROPPED):
        return lost(cause)
    if isinstance(cause, httpx2.TimeoutException):
        return Unavailable("the API has not answered in time")
    return Unavailable(f"the API did not answer ({type(cause or error).__name__})")


def lost(error: httpx2.HTTPError) -> Disconnected:
    """Say how a connection was lost in the middle of an answer."""
    return Disconnected(f"the connection was lost ({_because(error)})")


def _unreachable(cause: Exception, where: httpx2.URL | None) -> Unreachable:
    host = "the API" if where is None else where.host
    place = host if where is None or where.port is None else f"{host}:{where.port}"
    proxy = None if where is None else proxy_for(where)
    for each in _chain(cause):
        if isinstance(each, ssl.SSLCertVerificationError):
            return Unreachable(
                f"the certificate of {host} is not trusted ({each.verify_message}): where a proxy or gateway has one of"
                " its own, name the file of its authority in SSL_CERT_FILE (or a folder of such in SSL_CERT_DIR)"
            )
        if isinstance(each, ssl.SSLError):
            return Unreachable(f"no TLS connection to {host} ({each.reason or 'failed'}): see api.base_url and proxy")
    if proxy is not None:
        return Unreachable(f"{place} was not reached through the proxy of ${proxy.variable}: {_because(cause)}")
    return Unreachable(f"{place} cannot be reached: {_because(cause)}")


_BOTTOM: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = (
    (socket.gaierror, "its name was not found (DNS)"),
    (ConnectionRefusedError, "connection refused"),
    ((ConnectionResetError, BrokenPipeError), "connection reset"),
    (httpx2.PoolTimeout, "too many calls wait for a connection"),
    (httpx2.ConnectTimeout, "no connection in time"),
    (httpx2.ProxyError, "the proxy refuses"),
    (httpx2.RemoteProtocolError, "the server hung up"),
)


def _because(cause: Exception) -> str:
    """The reason at the bottom of an error, in a few words."""
    chain = tuple(_chain(cause))
    for kind, told in _BOTTOM:
        if any(isinstance(each, kind) for each in chain):
            return told
    system = (each.strerror for each in chain if isinstance(each, OSError) and each.errno in errno.errorcode)
    return next(filter(None, system), type(cause).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it, groups unpacked."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _chain(inner)
        error = error.__cause__ or error.__context__

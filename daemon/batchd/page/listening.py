"""Where the page listens: a loopback address, another one where visitors prove who they are, or a unix socket."""

import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from batchd.errors import Unusable

_UNIX: Final = "unix:"
_FOR_GROUP: Final = 0o660
_BACKLOG: Final = 128
_LOCAL: Final = ("127.0.0.1", "[::1]", "localhost")


@dataclass(frozen=True, slots=True)
class Listening:
    """A place to listen at."""

    host: str = ""
    port: int = 0
    path: Path | None = None
    """Of a unix socket, instead."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        if self.path is not None or self.host == "localhost":
            return True
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """What a browser may call it in `Host`, without the port."""
        return (*_LOCAL, *([f"[{self.host}]" if ":" in self.host else self.host] if self.path is None else ()))

    def bind(self) -> socket.socket:
        """Open the socket; one in the file system is for its owner and group.

        Raises:
            Unusable: It cannot be.
        """
        try:
            return self._bind_unix(self.path) if self.path is not None else self._bind_internet()
        except OSError as error:
            place = self.path or f"{self.host}:{self.port}"
            raise Unusable(f"page.listen: cannot listen at {place}: {error.strerror or error}") from None

    def _bind_internet(self) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(_BACKLOG)
        except OSError:
            bound.close()
            raise
        return bound

    @staticmethod
    def _bind_unix(path: Path) -> socket.socket:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
        bound = socket.socket(socket.AF_UNIX)
        try:
            before = os.umask(0o777 & ~_FOR_GROUP)
            try:
                bound.bind(str(path))
            finally:
                os.umask(before)
            path.chmod(_FOR_GROUP)
            bound.listen(_BACKLOG)
        except OSError:
            bound.close()
            raise
        return bound


def listening(said: str) -> Listening:
    """Read where to listen.

    Args:
        said: `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`.

    Raises:
        Unusable: It is none of these.
    """
    if said.startswith(_UNIX):
        if not (path := said.removeprefix(_UNIX)):
            raise Unusable("page.listen: write unix:PATH, such as unix:/run/batchd-page/page.sock")
        return Listening(path=Path(path))
    host, colon, port = said.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004  of ports
        raise Unusable(f"page.listen = {said!r}: write HOST:PORT, such as 127.0.0.1:8790, or unix:PATH")
    return Listening(host, int(port))

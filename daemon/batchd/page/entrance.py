"""The entrance: every request passes it. Foreign names are refused, visitors are known, nothing is cached.

What may be believed of a request is decided here alone: headers of a proxy count only from the unix socket and from
`page.trusted`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchd.errors import where
from batchd.page.listening import Listening
from batchd.page.sessions import Sessions
from batchd.settings import Page

log = structlog.get_logger()

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_OPEN: Final = ("/login", "/static/")
"""What those see who have not signed in."""
ANYBODY: Final = "*"
_BAD_REQUEST: Final = 400
_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks."""

    name: str = ""
    """Empty for nobody in particular."""
    folders: tuple[str, ...] | None = None
    """Top folders of the inbox that are shown; None for all."""

    def sees(self, path: str) -> bool:
        """Whether what lies at a path of the inbox, or below `rejected/`, is shown."""
        folder, slash, _ = path.partition("/")
        return self.folders is None or (folder if slash else "") in self.folders


class Entrance:
    """Stands before the application."""

    def __init__(self, app: ASGIApp, settings: Page, listening: Listening, sessions: Sessions | None) -> None:
        self._app = app
        self._settings = settings
        self._local = listening.path is not None
        self._hosts = frozenset(name.lower() for name in (*listening.names, *settings.hosts))
        self._trusted = tuple(ip_network(each) for each in settings.trusted)
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inside = _inside(scope, self._settings.base_path)
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(inside)
        answer = self._refusal(request)
        try:
            await (answer or self._app)(inside, receive, send_on)
        except Exception as bug:  # noqa: BLE001  it was answered with 500; its text could carry what users wrote
            told = {"at": where(bug), "kind": type(bug).__name__}
            log.error("page: a defect", method=scope["method"], route=_route(inside), **told)  # noqa: TRY400
            return
        if status >= _ERROR:
            log.error("page", method=scope["method"], route=_route(inside), status=status)

    def _refusal(self, request: Request) -> Response | None:
        """What is answered instead; None where the visitor may come in, who is noted then."""
        if _name(request.headers.get("host", "")) not in self._hosts:
            return PlainTextResponse(
                "This page does not go by that name: see page.hosts in docs/page.md\n", _BAD_REQUEST
            )
        believed = self._believed(request)
        request.state.secure = believed and request.headers.get("x-forwarded-proto", "") == "https"
        request.state.address = request.client.host if request.client else "the socket"
        visitor = self._visitor(request, believed=believed)
        request.state.visitor = visitor or Visitor(folders=())
        if visitor is not None or request.url.path.startswith(_OPEN):
            return None
        if self._sessions is None:
            return PlainTextResponse(f"{self._settings.user_header} names nobody: ask through the proxy\n", 403)
        if request.url.path.endswith(".json") or request.headers.get("authorization"):
            return PlainTextResponse("Sign in first\n", 401, {"www-authenticate": "Bearer"})
        return RedirectResponse(f"{self._settings.base_path}/login", 303)

    def _believed(self, request: Request) -> bool:
        """Whether it comes from a proxy of ours."""
        if request.client is None or not request.client.host:
            return self._local
        try:
            address = ip_address(request.client.host)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    def _visitor(self, request: Request, *, believed: bool) -> Visitor | None:
        said = self._settings.user_header
        name = request.headers.get(said, "").strip() if said and believed else ""
        open_to_all = self._sessions is None and not said
        if name or open_to_all or self._signed_in(request) or ANYBODY in self._settings.folders:
            return Visitor(name, _folders(self._settings.folders, name))
        return None

    def _signed_in(self, request: Request) -> bool:
        if self._sessions is None:
            return False
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            address = request.state.address
            return self._sessions.may_try(address) and self._sessions.is_token(token.strip(), address)
        return self._sessions.lasts(request.cookies.get(cookie_name(request), ""))


def cookie_name(request: Request) -> str:
    """What the cookie is called: the browser itself keeps `__Host-` to this host and to TLS."""
    return "__Host-batchd" if request.state.secure else "batchd"


def from_here(headers: Headers) -> bool:
    """Whether a form was sent from this very page: by the browser's word, or by the origin where it gives none."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    origin, host = headers.get("origin", ""), headers.get("host", "")
    return bool(origin and host) and urlsplit(origin).netloc.lower() == host.lower()


def _folders(table: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...] | None:
    if not table:
        return None
    seen = table.get(name) if name else None
    seen = table.get(ANYBODY, ()) if seen is None else seen
    return None if ANYBODY in seen else seen


def _inside(scope: Scope, base: str) -> Scope:
    """The path as the routes have it: most proxies strip the prefix, and one that does not is understood as well."""
    path = scope["path"]
    if base and (path == base or path.startswith(f"{base}/")):
        path = path.removeprefix(base) or "/"
    return {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogateescape"), "root_path": "", "state": {}}


def _name(host: str) -> str:
    """The name in `Host`, without the port."""
    name, colon, port = host.strip().lower().rpartition(":")
    return name if colon and port.isdecimal() else host.strip().lower()


def _route(scope: Scope) -> str:
    """The pattern of a path: the path itself may name what was asked."""
    return str(getattr(scope.get("route"), "path", "none"))

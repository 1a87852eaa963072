"""The routes of the page, put together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from batchd.edges.clock import Clock
from batchd.errors import Unusable
from batchd.page.actions import Actions
from batchd.page.commands import Commands
from batchd.page.entrance import Entrance
from batchd.page.events import Events
from batchd.page.listening import Listening, listening
from batchd.page.reading import Place
from batchd.page.rendering import Rendering
from batchd.page.sessions import Sessions, token_of
from batchd.page.staging import Stage
from batchd.page.views import Views
from batchd.settings import Page, Settings

_MISSING = 404


def application(settings: Settings, flags: Sequence[str] = (), clock: Clock | None = None) -> ASGIApp:
    """The page as an ASGI application.

    Args:
        flags: By which a command finds the same settings: it does what a person wants done.

    Raises:
        Unusable: It would be open to strangers, or its settings name a token that cannot be.
    """
    clock = clock or Clock()
    page = settings.page
    where = listening(page.listen)
    sessions = _sessions(page, where, clock)
    place, rendering = Place(settings, clock), Rendering(page, clock)
    events = Events(place)
    views = Views(place, rendering, events, sessions)

    stage = Stage(clock)
    actions = Actions(place, rendering, views, Commands(flags), stage) if page.actions else None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with stage:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(events.look)
                yield
                tasks.cancel_scope.cancel()

    async def lost(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == _MISSING:
            return await views.missing(request)
        return PlainTextResponse("That cannot be done here\n", status)

    app = Starlette(
        routes=[
            *_both("/jobs", views.jobs),
            Route("/", views.jobs),
            *_both("/jobs/{id:int}", views.job),
            Route("/jobs/{id:int}/files/{name:path}", views.file),
            *_both("/batches", views.batches),
            *_both("/costs", views.costs),
            Route("/tickets/{ticket}", views.ticket),
            Route("/events", views.events),
            Route("/login", views.login, methods=["GET", "POST"] if sessions else ["GET"]),
            *(actions.routes() if actions else []),
            *([Route("/logout", views.logout, methods=["POST"])] if sessions else []),
            Route("/static/{name}", views.static),
        ],
        exception_handlers={HTTPException: lost},
        lifespan=lifespan,
    )
    return Entrance(app, page, where, sessions)


def _both(path: str, view: object) -> list[Route]:
    return [Route(path, view), Route(f"{path}.json", view)]  # type: ignore[arg-type]  # bound methods of one kind


def _sessions(page: Page, where: Listening, clock: Clock) -> Sessions | None:
    if not where.is_local and not page.token and not page.user_header:
        raise Unusable(
            f"page.listen = {page.listen!r} is reached from other machines: set page.token, or page.user_header behind "
            "a proxy that signs people in, or listen at 127.0.0.1"
        )
    if page.user_header and not page.trusted and where.path is None and not page.token:
        raise Unusable(
            "page.user_header is believed only from the unix socket or from page.trusted: name the proxy there"
        )
    return Sessions(token_of(page.token), clock.now) if page.token else None

"""The views: each is whole HTML, and the same as JSON under its address with `.json`."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from functools import wraps
from typing import Final, cast
from urllib.parse import quote

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from batchd.decisions.report import timestamp
from batchd.errors import BatchdError
from batchd.page import files, plots, reading, wording
from batchd.page.entrance import Visitor, cookie_name, from_here
from batchd.page.events import Events
from batchd.page.reading import Data, NothingYet, Place
from batchd.page.rendering import Rendering
from batchd.page.sessions import LIFETIME, Sessions
from batchd.text.tickets import is_ticket

_GROUPS: Final = ("day", "model", "folder")
_CHUNK: Final = 1 << 18
_MOST_ID: Final = (1 << 63) - 1
_JSON: Final = ".json"

Handler = Callable[["Views", Request], Awaitable[Response]]


def _shown(handler: Handler) -> Handler:
    """Say so, instead of a view, where there is nothing to read yet, or it cannot be read now."""

    @wraps(handler)
    async def answer(self: "Views", request: Request) -> Response:
        try:
            return await handler(self, request)
        except NothingYet as nothing:
            return await self.trouble(request, str(nothing), 404 if request.path_params else 200)
        except BatchdError as error:
            return await self.trouble(request, str(error), 503)

    return answer


class Views:
    """What can be looked at."""

    def __init__(self, place: Place, rendering: Rendering, events: Events, sessions: Sessions | None) -> None:
        self._place = place
        self._rendering = rendering
        self._events = events
        self._sessions = sessions
        self._base = place.settings.page.base_path

    @_shown
    async def jobs(self, request: Request) -> Response:
        """What waits for a person, and jobs."""
        before = _number(request.query_params.get("before"))
        data = await reading.jobs(self._place, _visitor(request), before=before)
        return self._answer(request, "jobs", {**data, "before": before})

    @_shown
    async def job(self, request: Request) -> Response:
        """One job."""
        number = _number(request.path_params["id"])
        after = _number(request.query_params.get("after")) or 0
        found = None if number is None else await reading.job(self._place, _visitor(request), number, after=after)
        return await self.missing(request) if found is None else self._answer(request, "job", found)

    @_shown
    async def file(self, request: Request) -> Response:
        """A file of a job, to keep; or the beginning of a document, to look at."""
        number, name = _number(request.path_params["id"]), request.path_params["name"]
        opened = None if number is None else await reading.file_of(self._place, _visitor(request), number, name)
        if opened is None or number is None:
            return await self.missing(request)
        size = os.fstat(opened).st_size
        if request.query_params.get("view"):
            text = await to_thread.run_sync(_beginning, opened)
            job = await reading.job_of(self._place, _visitor(request), number)
            data = {"id": number, "job": job.name if job else "", "name": name, "text": text, "bytes": size}
            return self._rendering.view(request, "document", {**data, "whole": size <= files.EXCERPT})
        last = name.rpartition("/")[2]
        return StreamingResponse(
            _pieces(opened),
            media_type="application/octet-stream",
            headers={
                "content-length": str(size),
                "content-disposition": f"attachment; filename*=utf-8''{quote(last, safe='')}",
                "content-security-policy": "sandbox",
            },
        )

    @_shown
    async def batches(self, request: Request) -> Response:
        """The newest batches on one axis of time."""
        data = await reading.batches(self._place, _visitor(request))
        if _wants_json(request):
            return _json(data)
        rows = cast("list[Data]", data["batches"])
        found, axis = plots.lanes([_times(each) for each in rows], self._place.clock.now())
        drawn = [{**each, "lane_at": lane} for each, lane in zip(rows, found, strict=True)]
        ends = {"begin": timestamp(axis.begin), "end": timestamp(axis.end), "at": axis.now}
        return self._rendering.view(request, "batches", {**data, "batches": drawn, "axis": ends})

    @_shown
    async def costs(self, request: Request) -> Response:
        """What was spent, as a plot and as a table."""
        by = request.query_params.get("by", "day")
        by = by if by in _GROUPS else "day"
        data = await reading.costs(self._place, _visitor(request), by=by, days=reading.DAYS)
        if _wants_json(request):
            return _json({key: value for key, value in data.items() if key != "daily"})
        today = datetime.fromtimestamp(self._place.clock.now(), UTC).date()
        plotted = plots.days(_by_day(cast("list[Data]", data["daily"])), last=today, count=reading.DAYS)
        return self._rendering.view(request, "costs", {**data, "plot": plotted, "groups": _GROUPS})

    @_shown
    async def ticket(self, request: Request) -> Response:
        """What became of something that was dropped: its job, once a daemon has accepted it."""
        ticket = request.path_params["ticket"]
        if not is_ticket(ticket):
            return await self.missing(request)
        found = await reading.of_ticket(self._place, _visitor(request), ticket)
        if found is not None:
            return RedirectResponse(f"{self._base}/jobs/{found.id}", 303)
        return self._answer(request, "ticket", {**await reading.surroundings(self._place), "ticket": ticket})

    async def events(self, request: Request) -> Response:
        """A stream that says when something has changed."""
        del request
        if self._events.full:
            return PlainTextResponse("Too many tabs are open\n", 503, {"retry-after": "10"})
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(self._events.stream(), media_type="text/event-stream", headers=headers)

    async def login(self, request: Request) -> Response:
        """Sign in."""
        if self._sessions is None:
            return await self.missing(request)
        if request.method != "POST":
            return self._rendering.view(request, "login", {"wrong": ""})
        if not from_here(request.headers):
            return PlainTextResponse("Forms are only taken from this page itself\n", 403)
        address = request.state.address
        if not self._sessions.may_try(address):
            return self._rendering.view(request, "login", {"wrong": "Five tries a minute: wait a moment."}, 429)
        async with request.form() as form:
            said = form.get("token")
        if not isinstance(said, str) or not self._sessions.is_token(said.strip(), address):
            return self._rendering.view(request, "login", {"wrong": "That is not the token."}, 403)
        answer = RedirectResponse(f"{self._base}/", 303)
        secure = bool(request.state.secure)
        path = "/" if secure else f"{self._base}/"
        cookie = self._sessions.begin()
        answer.set_cookie(
            cookie_name(request), cookie, LIFETIME, path=path, secure=secure, httponly=True, samesite="strict"
        )
        return answer

    async def logout(self, request: Request) -> Response:
        """Sign out."""
        if self._sessions is None or not from_here(request.headers):
            return PlainTextResponse("Forms are only taken from this page itself\n", 403)
        self._sessions.end(request.cookies.get(cookie_name(request), ""))
        return RedirectResponse(f"{self._base}/login", 303)

    async def static(self, request: Request) -> Response:
        """A file that goes along with every view."""
        return self._rendering.static(request.path_params["name"]) or await self.missing(request)

    async def missing(self, request: Request) -> Response:
        """Say that there is nothing at this address."""
        if _wants_json(request):
            return _json({"error": "there is nothing here"}, 404)
        return self._rendering.view(request, "missing", {}, 404)

    async def trouble(self, request: Request, said: str, status: int) -> Response:
        """Say why there is nothing to see now."""
        if _wants_json(request):
            return _json({"error": said}, status)
        return self._rendering.view(request, "trouble", {"said": said, "status": status}, status)

    def _answer(self, request: Request, template: str, data: Data) -> Response:
        return _json(data) if _wants_json(request) else self._rendering.view(request, template, data)


def _wants_json(request: Request) -> bool:
    return request.url.path.endswith(_JSON)


def _json(data: Mapping[str, object], status: int = 200) -> Response:
    return Response(msgspec.json.encode(data) + b"\n", status, media_type="application/json")


def _visitor(request: Request) -> Visitor:
    return cast("Visitor", request.state.visitor)


def _number(said: object) -> int | None:
    """Read an id of the store, or a place among them."""
    text = str(said or "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _MOST_ID else None  # noqa: PLR2004  digits of the largest


def _times(batch: Data) -> tuple[float, float | None, float | None, float | None, bool]:
    planned, submitted, ended, expires = (
        wording.unix(cast("str | None", batch[f"{each}_at"])) for each in ("planned", "submitted", "ended", "expires")
    )
    return planned or 0.0, submitted, ended, expires, batch["state"] in {"settled", "dissolved"}


def _by_day(spent: list[Data]) -> dict[date, tuple[float, float]]:
    """Sums by day of what is money; rehearsals where there is nothing else."""
    money = [each for each in spent if not each.get("sandbox")] or spent
    return {
        date.fromisoformat(str(each["day"])): (
            cast("float | None", each["cost_usd"]) or 0.0,
            cast("float | None", each["standard_cost_usd"]) or 0.0,
        )
        for each in money
    }


def _beginning(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read(files.EXCERPT).decode("utf-8", "replace")


async def _pieces(descriptor: int) -> AsyncIterator[bytes]:
    with os.fdopen(descriptor, "rb") as opened:
        while piece := await to_thread.run_sync(opened.read, _CHUNK):
            yield piece

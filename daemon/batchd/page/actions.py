"""What can be done on the page: the same wishes that the commands write, and dropping a file once its price was seen.

Only where `page.actions` is set: else none of these addresses exists.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Final, cast

import structlog
from anyio import to_thread
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from batchd.client.dropping import submit
from batchd.errors import BatchdError, Unusable
from batchd.page import reading
from batchd.page.commands import Commands, Said
from batchd.page.entrance import Visitor, from_here
from batchd.page.reading import NothingYet, Place
from batchd.page.rendering import Rendering
from batchd.page.staging import Stage, Staged, priced
from batchd.page.views import Views

log = structlog.get_logger()

_BESIDE: Final = 1 << 16
"""Bytes of a form beside its file."""
_DEEPEST: Final = 3
_MOST_FOLDERS: Final = 200
_JOB: Final = ".job"
_ANSWERS: Final = ("adopt", "resend", "drop")

Handler = Callable[["Actions", Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked once more before it is done."""

    title: str
    text: str
    yes: str


_CANCEL: Final = Question(
    "Cancel this job?",
    "Nothing more of it is sent, and its batches are stopped. What the API has finished by then is charged, and is "
    "delivered.",
    "Cancel it",
)
_RESEND: Final = Question(
    "Send it again?",
    "If the API has it after all, its requests are paid for twice. Look into the Console first: is there a batch of "
    "that time with that many requests?",
    "It is not there: send it again",
)
_DROP: Final = Question(
    "Give it up?",
    "Its requests are not sent again by themselves. If the API has it after all, it was charged, and what it wrote is "
    "lost.",
    "Give it up",
)


def _asked_here(handler: Handler) -> Handler:
    """Take a form only from this page itself."""

    @wraps(handler)
    async def answer(self: "Actions", request: Request) -> Response:
        if not from_here(request.headers):
            return PlainTextResponse("Forms are only taken from this page itself\n", 403)
        try:
            return await handler(self, request)
        except NothingYet:
            return await self.views.missing(request)
        except BatchdError as error:
            return await self.views.trouble(request, str(error), 503)

    return answer


class Actions:
    """What can be done."""

    def __init__(self, place: Place, rendering: Rendering, views: Views, commands: Commands, stage: Stage) -> None:
        self.views = views
        self._place = place
        self._rendering = rendering
        self._commands = commands
        self._stage = stage
        self._base = place.settings.page.base_path

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/jobs/{id:int}/cancel", self.cancel, methods=["POST"]),
            Route("/jobs/{id:int}/retry", self.retry, methods=["POST"]),
            Route("/jobs/{id:int}/release", self.release, methods=["POST"]),
            Route("/batches/{id:int}/resolve", self.resolve, methods=["POST"]),
            Route("/drop", self.drop_form, methods=["GET"]),
            Route("/drop", self.upload, methods=["POST"]),
            Route("/drop/{ticket}", self.send, methods=["POST"]),
        ]

    @_asked_here
    async def cancel(self, request: Request) -> Response:
        """Cancel a job, when that was asked twice."""
        if not (await _fields(request)).get("sure"):
            return self._ask(request, _CANCEL, {})
        return await self._do(request, "cancel")

    @_asked_here
    async def retry(self, request: Request) -> Response:
        """Send the failed requests of a job again."""
        return await self._do(request, "retry")

    @_asked_here
    async def release(self, request: Request) -> Response:
        """Let a job go, up to a sum where one is said."""
        up_to = (await _fields(request)).get("up_to", "").strip().removeprefix("$").replace(",", "")
        return await self._do(request, "release", *(["--up-to", up_to] if up_to else []))

    @_asked_here
    async def resolve(self, request: Request) -> Response:
        """Decide about a batch that nobody else can decide about."""
        fields = await _fields(request)
        answer, batch = fields.get("answer", ""), request.path_params["id"]
        if answer not in _ANSWERS or not await reading.may_decide(self._place, _visitor(request), batch):
            return await self.views.missing(request)
        if answer != "adopt" and not fields.get("sure"):
            return self._ask(request, _RESEND if answer == "resend" else _DROP, {"answer": answer})
        words = [f"--adopt={fields.get('id', '').strip()}"] if answer == "adopt" else [f"--{answer}"]
        said = await self._commands.run("resolve", *words, names=[str(batch)])
        return self._done(request, said, f"{self._base}/", "resolve")

    async def drop_form(self, request: Request) -> Response:
        """Ask what is to be dropped, and where."""
        return await self._form(request)

    @_asked_here
    async def upload(self, request: Request) -> Response:
        """Take a file, and show what it would cost."""
        most = self._place.settings.page.max_upload
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            return await self._form(request, "The browser did not say how large the file is.", 411)
        if int(length) > most + _BESIDE:
            return await self._form(
                request, f"The file is larger than {most:,} bytes, the most that can be dropped here.", 413
            )
        async with request.form(max_files=1, max_fields=8, max_part_size=_BESIDE) as form:
            file, folder, prompt = form.get("file"), form.get("folder", ""), form.get("prompt", "")
            if not isinstance(file, UploadFile) or not file.filename:
                return await self._form(request, "Choose a file first.", 400)
            if folder not in await to_thread.run_sync(self._folders, _visitor(request)):
                return await self._form(request, "There is no such folder.", 400)
            put = partial(
                self._stage.put,
                file.filename,
                file.file,
                folder=str(folder),
                prompt=str(prompt),
                by=_visitor(request).name,
            )
            try:
                staged = await to_thread.run_sync(put)
            except ValueError as wrong:
                return await self._form(request, f"{wrong}"[:1].upper() + f"{wrong}"[1:] + ".", 400)
        return await self._show_price(request, staged)

    @_asked_here
    async def send(self, request: Request) -> Response:
        """Drop into the inbox what was priced; however often this is asked, it is one job."""
        ticket = request.path_params["ticket"]
        staged = self._stage.find(ticket, _visitor(request).name)
        if staged is None:
            if await reading.of_ticket(self._place, _visitor(request), ticket) is not None:
                return RedirectResponse(f"{self._base}/tickets/{ticket}", 303)
            return await self._form(request, "That file is not here any more: choose it again.", 404)
        if not (await self._price(staged))["ok"]:
            return await self._show_price(request, staged)
        settings = self._place.settings
        drop = partial(
            submit,
            staged.path,
            inbox=settings.inbox,
            outbox=settings.outbox,
            prompt=staged.prompt,
            to=staged.folder,
            ticket=ticket,
        )
        try:
            await to_thread.run_sync(drop)
        except (OSError, Unusable) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            return await self.views.trouble(request, f"the file could not be dropped: {said}", 503)
        await to_thread.run_sync(self._stage.drop, ticket)
        log.info("dropped on the page", ticket=ticket)
        return RedirectResponse(f"{self._base}/tickets/{ticket}", 303)

    async def _do(self, request: Request, command: str, *words: str) -> Response:
        job = await reading.job_of(self._place, _visitor(request), request.path_params["id"])
        if job is None:
            return await self.views.missing(request)
        said = await self._commands.run(command, *words, names=[job.name])
        return self._done(request, said, f"{self._base}/jobs/{job.id}", command)

    def _done(self, request: Request, said: Said, back: str, command: str) -> Response:
        log.info("asked on the page", command=command, exit=said.code)
        if said.code:
            return self._rendering.view(request, "declined", {"lines": said.lines, "back": back}, 409)
        return RedirectResponse(back, 303)

    def _ask(self, request: Request, question: Question, fields: Mapping[str, str]) -> Response:
        data = {"question": question, "fields": fields, "address": f"{self._base}{request.url.path}"}
        return self._rendering.view(request, "sure", data)

    async def _form(self, request: Request, wrong: str = "", status: int = 200) -> Response:
        folders = await to_thread.run_sync(self._folders, _visitor(request))
        around = await reading.surroundings(self._place)
        most = self._place.settings.page.max_upload
        return self._rendering.view(
            request, "drop", {**around, "folders": folders, "wrong": wrong, "most": most}, status
        )

    async def _price(self, staged: Staged) -> dict[str, object]:
        words = ["--json", "--to", staged.folder, *(["--prompt", str(staged.prompt)] if staged.prompt else [])]
        said = await self._commands.run("check", *words, names=[str(staged.path)])
        found = priced(said.data)
        return found or {"ok": False, "errors": [{"line": 0, "field": "", "message": line} for line in said.lines]}

    async def _show_price(self, request: Request, staged: Staged) -> Response:
        price = await self._price(staged)
        around = await reading.surroundings(self._place)
        data = {
            **around,
            "price": price,
            "staged": staged,
            "name": staged.path.name,
            "sandbox": bool(price.get("sandbox")),
        }
        return self._rendering.view(request, "price", data)

    def _folders(self, visitor: Visitor) -> Sequence[str]:
        """The folders of the inbox that somebody may drop into, with whether it says what is asked in it."""
        root = self._place.settings.inbox
        found = [""] if visitor.sees("") else []
        for folder, below, _ in os.walk(root):
            inside = Path(folder).relative_to(root)
            below[:] = sorted(each for each in below if not each.startswith(".") and not each.endswith(_JOB))
            found += [str(inside / each) for each in below if visitor.sees(f"{inside / each}/")]
            if len(inside.parts) >= _DEEPEST - 1 or len(found) > _MOST_FOLDERS:
                below.clear()
        return found[:_MOST_FOLDERS]


def _visitor(request: Request) -> Visitor:
    return cast("Visitor", request.state.visitor)


async def _fields(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=8, max_part_size=_BESIDE) as form:
        return {name: said for name, said in form.items() if isinstance(said, str)}

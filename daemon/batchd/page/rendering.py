"""Rendering: data to HTML, by templates in which every value is escaped."""

from collections.abc import Mapping
from datetime import date
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from batchd.edges.clock import Clock
from batchd.page import plots, wording
from batchd.settings import Page

STATIC: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_ICONS: Final = {
    "done": '<circle cx="8" cy="8" r="7"/><path class="cut" d="M4.8 8.2l2.2 2.3 4.2-4.9"/>',
    "partial": '<circle cx="8" cy="8" r="6.2" class="ring"/><path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z"/>',
    "failed": '<circle cx="8" cy="8" r="7"/><path class="cut" d="M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2"/>',
    "cancelled": '<circle cx="8" cy="8" r="6.2" class="ring"/><path class="line" d="M3.8 12.2l8.4-8.4"/>',
    "held": '<circle cx="8" cy="8" r="7"/><path class="cut" d="M6 5v6m4-6v6"/>',
    "travelling": '<circle cx="8" cy="8" r="6.2" class="ring"/><path class="line" d="M5 8h6M8.6 5.6L11 8l-2.4 2.4"/>',
    "waiting": '<circle cx="8" cy="8" r="6.2" class="ring"/><path class="line" d="M8 4.8V8l2.3 1.6"/>',
}
_LOOKS: Final = {
    "done": "done",
    "complete": "done",
    "settled": "done",
    "partial": "partial",
    "truncated": "partial",
    "short": "partial",
    "refused": "partial",
    "paused": "partial",
    "incomplete": "partial",
    "failed": "failed",
    "errored": "failed",
    "expired": "failed",
    "rejected": "failed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "cancelling": "cancelled",
    "dissolved": "cancelled",
    "held": "held",
    "parked": "held",
    "travelling": "travelling",
    "processing": "travelling",
    "intended": "travelling",
    "ended": "travelling",
    "finishing": "travelling",
}
"""By which sign and colour a state is shown, beside its word; any other as one that waits."""


class Rendering:
    """The templates, and what all of them know."""

    def __init__(self, settings: Page, clock: Clock) -> None:
        self._clock = clock
        self._static = {name: (files("batchd.page") / "static" / name).read_bytes() for name in STATIC}
        version = sha256(b"".join(self._static.values())).hexdigest()[:12]
        self._templates = Environment(
            loader=PackageLoader("batchd.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "money": wording.money,
            "size": wording.size,
            "exact": wording.exact,
            "unix": wording.unix,
            "icon": _icon,
            "look": _look,
            "parts": _parts,
            "day": _day,
            "span": wording.span,
            "dropped": wording.dropped,
        }
        self._templates.globals |= {
            "base": settings.base_path,
            "actions": settings.actions,
            "content": settings.content,
            "version": version,
            "plural": wording.plural,
        }

    def static(self, name: str) -> Response | None:
        """A file that goes along with every view."""
        if name not in self._static:
            return None
        return Response(self._static[name], media_type=STATIC[name], headers={"cache-control": "max-age=3600"})

    def view(self, request: Request, template: str, data: Mapping[str, object], status: int = 200) -> Response:
        """Render a view."""
        now = self._clock.now()
        relative = partial(wording.relative, now=now)
        visitor = request.state.visitor
        text = self._templates.get_template(f"{template}.html").render(
            **{"sandbox": False, "daemon": None, "disk_low": None, "parked": None, "paused": (), **data},
            ago=relative,
            now=now,
            visitor=visitor.name,
            signed_in=bool(request.cookies.get("batchd") or request.cookies.get("__Host-batchd")),
        )
        return HTMLResponse(text, status)


def _look(state: str | None) -> str:
    return _LOOKS.get(state or "", "waiting")


def _icon(look: str) -> Markup:
    return Markup(f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{_ICONS[look]}</svg>')  # noqa: S704  own text


def _parts(requests: Mapping[str, int]) -> list[plots.Part]:
    """The parts of a job's progress."""
    failed = sum(requests[each] for each in ("errored", "expired", "canceled"))
    counts = (
        ("complete", requests["complete"]),
        ("incomplete", requests["incomplete"]),
        ("failed", failed),
        ("travelling", requests["travelling"]),
    )
    return plots.parts(requests["total"], counts)


def _day(day: date) -> str:
    return day.strftime("%-d %b")

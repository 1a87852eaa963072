"""A notice as programs read it: one JSON object, the same for webhooks, commands and `events.jsonl`."""

from collections.abc import Mapping

import msgspec

from batchd.decisions.notices.wording import worded
from batchd.decisions.report import timestamp
from batchd.notice import PREFIX, Kind, Message, Notice
from batchd.text.strictjson import Json

MOST = 8_000
"""Bytes of a body."""
_LONGEST = 700
"""Characters of a name; only those of paths that are deep are longer."""


def message_of(notice: Notice, installation: str, page: str = "") -> Message:
    """Write a notice for its sinks.

    Args:
        notice: It.
        installation: Which one tells it: the tag of its wire ids.
        page: Base address of the page, to which a link goes along; empty where there is none.
    """
    ident = f"msg_{installation}_{notice.id}"
    told: dict[str, Json] = {**notice.data, **_link(notice, page)}
    if len(body := _encoded(ident, notice, told)) > MOST:
        body = _encoded(ident, notice, {key: _cut(value) for key, value in told.items()})
    title, lines = worded(notice.kind, told)
    return Message(ident, notice.kind, body, title, lines)


def _link(notice: Notice, page: str) -> Mapping[str, Json]:
    if not page:
        return {}
    return {"url": f"{page.rstrip('/')}/jobs/{notice.job}" if notice.job is not None else page}


def _encoded(ident: str, notice: Notice, data: Mapping[str, Json]) -> bytes:
    whole = {"id": ident, "type": PREFIX + notice.kind, "timestamp": timestamp(notice.at), "data": data}
    return msgspec.json.encode(whole)


def _cut(value: Json) -> Json:
    return f"{value[:_LONGEST]}…" if isinstance(value, str) and len(value) > _LONGEST else value


def test_message(ident: str, now: float) -> Message:
    """What `batchd notify test` sends."""
    notice = Notice(0, Kind.TEST, now, {})
    title, lines = worded(Kind.TEST, {})
    return Message(ident, Kind.TEST, _encoded(ident, notice, {}), title, lines)

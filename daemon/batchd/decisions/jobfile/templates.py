"""Requests like one that was found sound: their texts differ, and nothing else, so that one typed decode checks them.

The template of a request is everything but its id and its texts. Once the whole check (`request`) has found a request
sound, another of the same template is sound if its id is new and its texts say something: no rule looks into a text,
and turns of users and assistants that end with a user's have no other rules between them. What is unusual in any way is
left to the whole check, which alone tells what is wrong.

The decoder keeps the last of members that appear twice. They are found by counting double quotes: each member has two
of its own, and a text has as many as are escaped in it.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct

from batchd.claude.params_check import PARAMETERS
from batchd.decisions.jobfile.naming import LONGEST_ID
from batchd.decisions.jobfile.settings_check import BESIDE, SETTINGS
from batchd.model import Entry
from batchd.text import typed

_LONGEST: Final = 1_000_000
"""Bytes of a line that is looked at: far fewer than any bound on the parts of a request."""
_MOST_TURNS: Final = 1_000
_MOST_BYTES: Final = 1 << 20
"""Of all templates of one file together."""
_UNSEEN: Final = b"u0022"
"""A double quote that is written without one."""
_OF_TURN: Final = 8
"""Double quotes of `"role": "…", "content": "…"`."""
_OF_BLOCK: Final = 8
"""Double quotes of `"type": "text", "text": "…"`."""


class _Text(Struct, forbid_unknown_fields=True, tag="text"):
    text: str


class _Turn(Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: str | list[_Text]


def _raw(names: Sequence[str]) -> list[tuple[str, type, Raw]]:
    return [(name, Raw, Raw()) for name in names]


_FIELDS: Final = [name for name in PARAMETERS if name != "messages"]
_BESIDE: Final = [name for name in (*SETTINGS, *sorted(BESIDE)) if name not in {"params", "custom_id"}]
_PARAMS: Final = msgspec.defstruct(
    "_Params", [("messages", list[_Turn]), *_raw(_FIELDS)], forbid_unknown_fields=True, gc=False
)
_LINE: Final = msgspec.defstruct(
    "_Line", [("custom_id", str), ("params", _PARAMS), *_raw(_BESIDE)], forbid_unknown_fields=True, gc=False
)
_DECODE: Final = typed.decoder(_LINE).decode
_ENCODE: Final = msgspec.json.Encoder().encode
_REST: Final = attrgetter(*(f"params.{name}" for name in _FIELDS), *_BESIDE)


class _Line(NamedTuple):
    """A line whose texts are known, and the rest of it as it was written."""

    custom_id: str
    messages: list[_Turn]
    rest: bytes
    quotes: int
    """In the whole line, without those of its turns and within texts."""


class _Template(NamedTuple):
    """What requests have in common."""

    quotes: int
    before: bytes
    """Of the params, what stands before the messages."""
    after: bytes
    common: tuple[Any, ...]
    """The fields of an `Entry` from `model` on, its number among them."""
    longest: int
    """Bytes of params within which no text can be longer than its model reads."""


class Templates:
    """The templates of the sound requests of one file."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Template] = {}
        self._bytes = 0

    def find(self, line: bytes) -> tuple[str, bytes, tuple[Any, ...]] | None:
        """Check a line by what was found sound before it.

        Returns:
            Its id, which may have been used before; its params; and the fields of its `Entry` from `model` on. None
            where the whole check must look at it.
        """
        if not self._known or (found := _taken_apart(line)) is None:
            return None
        template = self._known.get(found.rest)
        if template is None or template.quotes != found.quotes:
            return None
        params = b"".join((template.before, _ENCODE(found.messages), template.after))
        if len(params) > template.longest:
            return None
        return found.custom_id, params, template.common

    def learn(self, line: bytes, entry: Entry, window: int) -> None:
        """Take the template of a request that the whole check has found sound.

        Args:
            window: Of its model, in tokens, none of which is shorter than a byte.
        """
        if self._bytes > _MOST_BYTES or (found := _taken_apart(line)) is None or found.rest in self._known:
            return
        parts = _around_messages(entry.params)
        if parts is None or len(entry.params) != sum(map(len, parts)) + len(_ENCODE(found.messages)):
            return
        common = entry._replace(template=len(self._known) + 1)[Entry._fields.index("model") :]
        self._known[found.rest] = _Template(found.quotes, *parts, common, window)
        self._bytes += len(found.rest) + sum(map(len, parts))


def _taken_apart(line: bytes) -> _Line | None:
    """Decode a line of plain texts that all say something; None for any other."""
    if len(line) > _LONGEST or (b"\\" in line and _UNSEEN in line):
        return None
    try:
        found: Any = _DECODE(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    custom_id, messages = found.custom_id, found.params.messages
    if not 0 < len(custom_id) <= LONGEST_ID or not 0 < len(messages) <= _MOST_TURNS or messages[-1].role != "user":
        return None
    own = _quotes_of(messages)
    if own is None:
        return None
    return _Line(custom_id, messages, b"\0".join(_REST(found)), line.count(b'"') - custom_id.count('"') - own)


def _quotes_of(messages: list[_Turn]) -> int | None:
    """Count the double quotes of turns, with those within their texts; None where a text says nothing."""
    quotes = 0
    for turn in messages:
        content = turn.content
        if isinstance(content, str):
            texts: tuple[str, ...] = (content,)
            quotes += _OF_TURN
        else:
            texts = tuple(block.text for block in content)
            quotes += _OF_TURN - 2 + _OF_BLOCK * len(texts)
        if not texts:
            return None
        for text in texts:
            if not text or text.isspace():
                return None
            quotes += text.count('"')
    return quotes


def _around_messages(params: bytes) -> tuple[bytes, bytes] | None:
    """Cut what an `Entry` has as params before and behind its messages."""
    begin = 1
    for key, value in msgspec.json.decode(params, type=dict[str, Raw]).items():
        begin += len(_ENCODE(key)) + 1
        if key == "messages":
            return params[:begin], params[begin + len(bytes(value)) :]
        begin += len(bytes(value)) + 1
    return None

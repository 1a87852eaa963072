"""The pictures and PDFs of a request, where the API takes them for such: what a tool was called with is text."""

import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from batchd.claude.media_limits import Medium
from batchd.claude.pdf_pages import encrypted, pages_at_least
from batchd.claude.pictures import pixels

_KINDS = ("image", "document")
_FILES = ("base64", "url", "file")


class File(NamedTuple):
    """A picture or a PDF."""

    field: str
    """Where its block stands: `messages[0].content[1]`."""
    block: Mapping[str, Any]

    @property
    def picture(self) -> bool:
        """Whether it is one, and no PDF."""
        return bool(self.block["type"] == "image")

    @property
    def known(self) -> Medium:
        """What limits ask of it, as its own bytes tell: pages that it surely has, one where only the API sees it."""
        if self.picture:
            return Medium(f"{self.field}.source", pixels(self.data) if self.data else None)
        file = decoded(self.data) if self.data else None
        return Medium(f"{self.field}.source", pages=1 if file is None else pages_at_least(file))

    @property
    def data(self) -> str | None:
        """Its file in base64; None where it is named by URL or id, so that only the API sees it."""
        source = self.block["source"]
        data = source.get("data") if source.get("type") == "base64" else None
        return data if isinstance(data, str) else None


def files_of(messages: object) -> Iterator[File]:
    """Find the pictures and PDFs of a conversation, those in results of tools and in documents of parts among them."""
    for index, message in enumerate(_objects(messages)):
        yield from _within(message.get("content"), f"messages[{index}].content")


def _within(content: object, path: str) -> Iterator[File]:
    for index, block in enumerate(_objects(content)):
        field, source = f"{path}[{index}]", block.get("source")
        if block.get("type") in _KINDS and isinstance(source, Mapping):
            if source.get("type") in _FILES:
                yield File(field, block)
            else:
                yield from _within(source.get("content"), f"{field}.source.content")
        elif block.get("type") == "tool_result":
            yield from _within(block.get("content"), f"{field}.content")


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    """The entries of a list; an entry that is no object counts as an empty one, and so keeps the places right."""
    return [each if isinstance(each, Mapping) else {} for each in value] if isinstance(value, list) else []


def decoded(data: str) -> bytes | None:
    """The bytes of a file; None where it is no base64."""
    try:
        return binascii.a2b_base64(data)
    except ValueError:
        return None


def is_locked(data: str) -> bool:
    """Whether a PDF in base64 is encrypted."""
    file = decoded(data)
    return file is not None and encrypted(file)

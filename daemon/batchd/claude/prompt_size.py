"""How many tokens a prompt has, offline: at the most, and about. There is no tokenizer to ask.

Text: no token is shorter than a byte, and usual prose has some four bytes a token. Pictures cost by their pixels, and
pages of a PDF by their text (1,500 to 3,000 tokens a page are usual) and their picture (docs: "Vision", "PDF support").
"""

import binascii
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from batchd.claude.catalogue import ModelFacts
from batchd.claude.media import files_of
from batchd.claude.media_limits import most_pages
from batchd.claude.pdf_pages import pages
from batchd.claude.pictures import patches, picture_tokens
from batchd.text import typed

BYTES_PER_TOKEN: Final = 4
"""Of usual prose; about."""

_PAGE_TEXT: Final = 3_000
_USUAL_PAGE_TEXT: Final = 2_250
"""Between the two ends of what is usual."""
_USUAL_PAGE_PIXELS: Final = (1_414, 1_828)
"""Of the picture of a page, between one that is small and one that reaches the larger cap."""
_UNSEEN_PAGES: Final = 10
"""Of a PDF that only the API sees, about: nobody can know."""
_MILLION: Final = 1_000_000
_LONG_CONTEXT: Final = "context-1m-"
"""How the betas begin that widen the window of older models to a million."""

_INSTRUCTED: Final = (b'"tools":[{', b'"format":{')
_INSTRUCTIONS: Final = 1_000
"""Tokens of what the API says of its own to a model that has tools or a schema (docs: tool use, up to some 700)."""

_COUNTABLE: Final = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"}
    | {"billing_policy", "compaction", "context_management", "mcp_servers"}
)


_REGION: Final = b'"inference_geo":'


class _Params(msgspec.Struct):
    inference_geo: str | None = None


class _Turns(msgspec.Struct):
    messages: object = None


class PromptSize(NamedTuple):
    """Tokens of a prompt."""

    at_most: int
    about: int

    def within(self, window: int) -> "PromptSize":
        """Bound it by what the model reads: what is longer is refused, and not charged."""
        return PromptSize(min(self.at_most, window), min(self.about, window))


def measure(params: bytes, model: ModelFacts) -> PromptSize:
    """Measure a request.

    Args:
        params: Of the Messages API, as JSON.
        model: Whose pixels and pages they are.
    """
    instructions = _INSTRUCTIONS if any(mark in params for mark in _INSTRUCTED) else 0
    size, at_most, about = len(params), instructions, instructions
    if (region := region_of(params)) is not None:
        size -= len(_REGION) + len(msgspec.json.encode(region)) + len(b",")  # which nobody reads
    if b'"source":' in params:
        for file in files_of(typed.decode(params, _Turns).messages):
            data = file.data
            size -= len(data or "")
            found = _picture(data, model) if file.picture else _document(data, model)
            at_most, about = at_most + found.at_most, about + found.about
    return PromptSize(at_most + size, about + -(-size // BYTES_PER_TOKEN))


def region_of(params: bytes) -> str | None:
    """Read which region a request asks for."""
    return typed.decode(params, _Params).inference_geo if _REGION in params else None


def window_of(model: ModelFacts, betas: Iterable[str]) -> int:
    """Say how many tokens a model reads and writes at one time."""
    return max(model.window, _MILLION if any(beta.startswith(_LONG_CONTEXT) for beta in betas) else 0)


def countable(params: bytes) -> bytes:
    """Make a body for token counting, which takes less than a message does (SDK: message_count_tokens_params)."""
    found = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in found.items() if name in _COUNTABLE})


def _picture(data: str | None, model: ModelFacts) -> PromptSize:
    tokens = picture_tokens(data, model.image_tokens) if data else model.image_tokens
    return PromptSize(tokens, tokens)


def _document(data: str | None, model: ModelFacts) -> PromptSize:
    most = most_pages(model.window)
    count, usual = most, _UNSEEN_PAGES
    if data:
        with suppress(ValueError):  # what is no base64 is refused at the door, and counts as much as can be
            count = usual = pages(binascii.a2b_base64(data), most)
    picture = patches(*_USUAL_PAGE_PIXELS, model.image_tokens)
    return PromptSize(count * (_PAGE_TEXT + model.image_tokens), usual * (_USUAL_PAGE_TEXT + picture))

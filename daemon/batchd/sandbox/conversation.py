"""Reads a request's `params`: the turns, how many tokens they have, and where they are to be cached."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from batchd.sandbox import filing, media, writer
from batchd.sandbox.filing import File

_ENCODER = msgspec.json.Encoder(order="deterministic")

CACHEABLE = 1024
"""Tokens that a prefix must have to be cached at all (docs: prompt caching; more for some models)."""
TTL = {"5m": 300.0, "1h": 3600.0}
"""Seconds that a cached prefix lives after its last use."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said, as text."""

    prompt: str
    """The user's turn that the answer is for: the first one, if what followed is sandbox text to be continued."""
    asked: str
    """All turns of the user and the system prompt, where directives are looked for."""
    latest: str
    """The user's last turn."""
    written: str
    """The sandbox text so far that is to be continued; empty for a fresh answer."""
    rounds: int
    """How many turns that took."""
    system: str = ""
    first: str = ""
    """The user's first turn."""
    begun: str = ""
    """What the assistant has said that is no sandbox prose, be it an example, or data that is to be continued."""
    turns: int = 0
    """How many turns that took."""
    files: tuple[File, ...] = ()
    """What the user has sent along, which is in none of these texts: it is material, not a wish."""


class Breakpoint(NamedTuple):
    """A prefix of the prompt that is to be cached."""

    digest: bytes
    tokens: int
    """Of the whole prefix."""
    ttl: str


class Weight(NamedTuple):
    """How big a prompt is."""

    tokens: int
    breakpoints: tuple[Breakpoint, ...]

    def within(self, window: int) -> "Weight":
        """As much of it as a model reads: a prompt that is not refused fits in, however the sandbox counts it."""
        points = tuple(point._replace(tokens=min(point.tokens, window)) for point in self.breakpoints)
        return Weight(min(self.tokens, window), points)


NOTHING = Weight(0, ())


def read(params: Mapping[str, object]) -> Conversation:
    """Return the turns.

    Args:
        params: Of the Messages API; anything malformed is left out.
    """
    turns = [(turn.get("role"), _text(turn.get("content"))) for turn in _dicts(params.get("messages"))]
    parted = [filing.take_out(text) for role, text in turns if role == "user"]
    said = [text for text, _ in parted]
    files = tuple(file for _, found in parted for file in found)
    written = "".join(text for role, text in turns if role == "assistant")
    system = _text(params.get("system"))
    asked = "\n".join([system, *said])
    first, latest = (said[0], said[-1]) if said else ("", "")
    rounds = sum(role == "assistant" for role, _ in turns)
    if written and written.startswith(writer.OPENING[: len(written)]):
        return Conversation(first, asked, latest, written, rounds, system, first, files=files)
    return Conversation(latest, asked, latest, "", 0, system, first, written, rounds, files)


def weigh(params: Mapping[str, object]) -> Weight:
    """How many tokens the prompt has, and which prefixes of it are to be cached.

    Args:
        params: Of the Messages API; anything malformed is left out.
    """
    running = hashlib.sha256(str(params.get("model")).encode())
    characters = seen = 0
    found: list[Breakpoint] = []
    last: tuple[bytes, int] = (b"", 0)
    for block in _blocks(params):
        bare = {name: value for name, value in block.items() if name != "cache_control"}
        encoded = _ENCODER.encode(bare)
        running.update(encoded)
        characters += len(encoded)
        for picture in media.files([block]):
            if (weight := media.tokens(picture, params.get("model"))) is not None:
                seen += weight
                characters -= len(_ENCODER.encode(picture))
        last = (running.digest(), writer.tokens(characters) + seen)
        if isinstance(control := block.get("cache_control"), Mapping):
            found.append(Breakpoint(*last, str(control.get("ttl", "5m"))))
    if isinstance(control := params.get("cache_control"), Mapping) and not (found and found[-1].digest == last[0]):
        found.append(Breakpoint(*last, str(control.get("ttl", "5m"))))
    return Weight(writer.tokens(characters) + seen, tuple(found))


def digest(params: Mapping[str, object]) -> bytes:
    """SHA-256 of params in canonical form (keys sorted, no blanks), 32 bytes.

    `stream` is left out: how the answer travels is no part of what is asked, nor of what is paid for.
    """
    asked = {name: value for name, value in params.items() if name != "stream"}
    return hashlib.sha256(_ENCODER.encode(asked)).digest()


def _blocks(params: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Tools, system prompt and turns, in the order in which the API caches them."""
    yield from _dicts(params.get("tools"))
    yield from _content("system", params.get("system"))
    for turn in _dicts(params.get("messages")):
        yield from _content(str(turn.get("role")), turn.get("content"))


def _content(role: str, content: object) -> Iterator[Mapping[str, object]]:
    if isinstance(content, str):
        yield {"role": role, "text": content, "type": "text"}
    for block in _dicts(content):
        yield {"role": role, **block}


def _dicts(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    texts = (block.get("text") for block in _dicts(content) if block.get("type") == "text")
    return "".join(text for text in texts if isinstance(text, str))

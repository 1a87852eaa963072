"""Streams as servers write them that speak this API in a way of their own: what each event becomes on its way out."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from batchd.sandbox import stream

Event = dict[str, object]
Change = Callable[[Event], Iterator[bytes]]
"""Says an event in that way; it may keep something for the next."""

PACKAGE = "\N{PACKAGE}"
"""Stands in the text of `half_pairs`, cut in two each time."""


class Oddity(NamedTuple):
    """A way of writing a stream."""

    does: str
    begin: Callable[[], Change]
    """For one stream."""


def _each(change: Callable[[Event], Iterator[bytes]]) -> Callable[[], Change]:
    """A way that knows one event at a time."""
    return lambda: change


def _no_stop(event: Event) -> Iterator[bytes]:
    if event["type"] != "message_stop":
        yield stream.encode(event)


def _done(event: Event) -> Iterator[bytes]:
    yield b"data: [DONE]\n\n" if event["type"] == "message_stop" else stream.encode(event)


def _latin_1(event: Event) -> Iterator[bytes]:
    yield stream.encode(_retold(event, lambda text: text.replace("e", "\u00e9"))).decode().encode("latin-1", "replace")


def _half_pairs(event: Event) -> Iterator[bytes]:
    text = _text_of(event)
    if len(text) <= 1:
        yield stream.encode(event)
        return
    middle = len(text) // 2
    yield _escaped(_retold(event, lambda _: f"{text[:middle]}@"), b"\\ud83d")
    yield _escaped(_retold(event, lambda _: f"@{text[middle:]}"), b"\\udce6")


def _lone_half(event: Event) -> Iterator[bytes]:
    yield _escaped(_retold(event, lambda text: f"{text}@"), b"\\ud83d") if _text_of(event) else stream.encode(event)


def _two_data_lines(event: Event) -> Iterator[bytes]:
    yield stream.encode(event).replace(b',"', b'\ndata: ,"', 1)


def _null_index(event: Event) -> Iterator[bytes]:
    yield stream.encode({**event, "index": None} if "index" in event else event)


def _usage_list(event: Event) -> Iterator[bytes]:
    yield stream.encode({**event, "usage": [1]} if event["type"] == "message_delta" else event)


def _usage_untold(event: Event) -> Iterator[bytes]:
    bare = {name: value for name, value in event.items() if name != "usage"}
    message = bare.get("message")
    if isinstance(message, dict):
        bare["message"] = {name: value for name, value in message.items() if name != "usage"}
    yield stream.encode(bare)


def _zero_input(event: Event) -> Iterator[bytes]:
    usage = event.get("usage")
    yield stream.encode({**event, "usage": {**usage, "input_tokens": 0}} if isinstance(usage, dict) else event)


def _unopened(event: Event) -> Iterator[bytes]:
    if event["type"] != "content_block_start":
        yield stream.encode(event)


def _same_id(event: Event) -> Iterator[bytes]:
    message = event.get("message")
    yield stream.encode({**event, "message": {**message, "id": "msg_of_all"}} if isinstance(message, dict) else event)


def _in_start() -> Change:
    kept: list[Event] = []
    begun = False

    def change(event: Event) -> Iterator[bytes]:
        nonlocal begun
        text = _text_of(event)
        if begun:
            yield stream.encode(event)
        elif not text and event["type"] != "message_stop":
            kept.append(event)
        else:
            begun = True
            message = msgspec.convert(kept[0]["message"], dict[str, object])
            content = [{"type": "text", "text": text}]
            yield stream.encode({**kept[0], "message": {**message, "content": content}})
            yield from map(stream.encode, (each for each in kept[1:] if each["type"] == "ping"))

    return change


def _half_line() -> Change:
    cut = False

    def change(event: Event) -> Iterator[bytes]:
        nonlocal cut
        wire = stream.encode(event)
        if _text_of(event) and not cut:
            cut = True
            wire = wire[: len(wire) // 2] + b"\n\n"
        yield wire

    return change


ODDITIES: Mapping[str, Oddity] = {
    "no_stop": Oddity("no `message_stop` comes", _each(_no_stop)),
    "done": Oddity("`[DONE]` comes in place of `message_stop`", _each(_done)),
    "latin_1": Oddity("each e of the text is an é, in Latin-1", _each(_latin_1)),
    "half_pairs": Oddity("an emoji in each piece of text, its two halves in two of them", _each(_half_pairs)),
    "lone_half": Oddity("each piece of text ends with half an emoji, which is all that comes of it", _each(_lone_half)),
    "two_data_lines": Oddity("each event has its data in two lines", _each(_two_data_lines)),
    "null_index": Oddity("each `index` is null", _each(_null_index)),
    "usage_list": Oddity("the last `usage` is a list", _each(_usage_list)),
    "usage_untold": Oddity("no `usage` comes", _each(_usage_untold)),
    "zero_input": Oddity("the last `usage` has 0 `input_tokens`", _each(_zero_input)),
    "unopened": Oddity("no `content_block_start` comes", _each(_unopened)),
    "in_start": Oddity("the first text comes in `message_start`, and no block is opened", _in_start),
    "half_line": Oddity("the first piece of text is cut in the middle of its line", _half_line),
    "same_id": Oddity("every message has the same id", _each(_same_id)),
}
"""Every way, by the kind of fault that it is."""


def _text_of(event: Event) -> str:
    delta = event.get("delta")
    text = delta.get("text") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else ""


def _retold(event: Event, tell: Callable[[str], str]) -> Event:
    delta, text = event.get("delta"), _text_of(event)
    return {**event, "delta": {**delta, "text": tell(text)}} if text and isinstance(delta, dict) else event


def _escaped(event: Event, half: bytes) -> bytes:
    """An event in whose text an escape stands for `@`, which no text of the sandbox has."""
    return stream.encode(event).replace(b"@", half)


def read(wire: bytes) -> Event:
    """One event, as `stream.encode` has written it."""
    return msgspec.json.decode(wire.partition(b"data: ")[2], type=dict[str, object])

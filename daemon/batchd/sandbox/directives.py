"""What a prompt can tell the sandbox, in lines such as `[sandbox: truncate at 1200]`.

| directive | does |
|---|---|
| `fail TYPE [N]` | comes back errored with this `error.type` the first N times (1) that it is sent, then succeeds |
| `expire` | comes back expired; only in a batch |
| `truncate [at CHARS] [rounds N]` | cut at CHARS (or half of the text) by `max_tokens`, in the first N rounds (1) |
| `pause` | is cut at half of the text with `pause_turn`, in the first round |
| `refuse` | `refusal`, without text |
| `stop REASON` | the whole text with this `stop_reason` |
| `answer TEXT` | this text, whatever tools and schemas say; brackets in it come in pairs |
| `json {…}` | this JSON, where a tool is forced as its input, whatever its schema says |
| `words N` | N words, whatever the prompt says |
| `thinking N` | N tokens of thinking before the text |
| `omit TITLE` | leaves this section out |
| `blocks N` | spreads the text over N content blocks |
| `region NAME` | is answered in this region, which `usage.inference_geo` names, whatever the request asked for |
| `unicode` | adds characters that trip naive readers of lines |
| `take SECONDS` | is done this long after the create, and its batch not before; a stream lasts this long |
| `never` | is never done, and neither is its batch: it does not expire, and cannot be cancelled |

They hold for a message by itself as for one in a batch: there, `fail` is the status of the call.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MARK = "[sandbox:"

_BEGINS = re.compile(r"\[sandbox:\s*(\w+)[ \t]*")
_BRACKET = re.compile(r"[\[\]\n]")
_CLOSES = re.compile(r"\s*\]")
_JSON = "json"
_CUT = re.compile(r"(?:at\s+(\d+))?\s*(?:rounds\s+(\d+))?\s*$")


@dataclass(slots=True)
class Orders:
    """All that a prompt tells the sandbox, gathered."""

    fail: str | None = None
    """`error.type`."""
    fail_times: int = 1
    expire: bool = False
    truncate_at: int | None = None
    """Characters; None for half of the text."""
    truncate_rounds: int = 0
    pause: bool = False
    refuse: bool = False
    stop: str | None = None
    answer: str | None = None
    """The whole text."""
    json: str | None = None
    """The whole text, or the input of the tool that is called."""
    words: int | None = None
    thinking: int | None = None
    """Tokens."""
    omit: tuple[str, ...] = ()
    blocks: int = 1
    region: str | None = None
    """What `usage.inference_geo` says; None for what the request asked for."""
    unicode: bool = False
    take: float | None = None
    """Seconds; infinite for `never`."""


NO_ORDERS = Orders()


def read(prompt: str) -> Orders:
    """All directives of a prompt; the last of a kind counts.

    Raises:
        ValueError: A directive is unknown or its arguments are: better told than ignored.
    """
    if MARK not in prompt:
        return NO_ORDERS
    orders = Orders()
    for found in _found(prompt):
        if found.name == "answer" or (found.name == _JSON and _is_json(found.rest)):
            setattr(orders, found.name, found.rest)
        else:
            _obey(orders, found.name, found.rest)
    return orders


def without(prompt: str) -> str:
    """The prompt as a model would see it, so that directives change nothing but what they say."""
    kept, at = [], 0
    for found in _found(prompt):
        kept.append(prompt[at : found.begin])
        at = found.end
    return "".join((*kept, prompt[at:])).strip()


class _Directive(NamedTuple):
    """One directive of a prompt, and where it stands."""

    name: str
    rest: str
    begin: int
    end: int


def _found(prompt: str) -> Iterator[_Directive]:
    at = 0
    while begins := _BEGINS.search(prompt, at):
        at = begins.end()
        end = _end_of_json(prompt, at) if begins[1] == _JSON else _end_of_line(prompt, at)
        if end is not None:
            yield _Directive(begins[1], prompt[at : end - 1].strip(), begins.start(), end)
            at = end


def _end_of_line(prompt: str, at: int) -> int | None:
    """Behind the bracket that closes a directive within its line: the one that pairs, else the first."""
    depth, first = 0, None
    for bracket in _BRACKET.finditer(prompt, at):
        if bracket[0] == "\n":
            break
        depth += 1 if bracket[0] == "[" else -1
        if bracket[0] == "]":
            first = first or bracket.end()
        if depth < 0:
            return bracket.end()
    return first


def _end_of_json(prompt: str, at: int) -> int | None:
    """Behind the bracket that closes a directive with JSON, of one line or more."""
    try:
        _, end = json.JSONDecoder().raw_decode(prompt, at)
    except (json.JSONDecodeError, RecursionError):
        return _end_of_line(prompt, at)
    closing = _CLOSES.match(prompt, end)
    return closing.end() if closing else None


def _obey(orders: Orders, name: str, rest: str) -> None:
    match name, rest.split():
        case ("fail", [kind]):
            orders.fail = kind
        case ("fail", [kind, times]):
            orders.fail, orders.fail_times = kind, int(times)
        case ("truncate", _) if cut := _CUT.match(rest):
            orders.truncate_at = int(cut[1]) if cut[1] else None
            orders.truncate_rounds = int(cut[2] or 1)
        case ("omit", [_, *_]):
            orders.omit += (rest,)
        case (("stop" | "region"), [said]):
            setattr(orders, name, said)
        case ("take", [seconds]):
            orders.take = float(seconds)
        case ("never", []):
            orders.take = float("inf")
        case (("words" | "thinking" | "blocks"), [number]):
            setattr(orders, name, int(number))
        case (("expire" | "pause" | "refuse" | "unicode"), []):
            setattr(orders, name, True)
        case _:
            raise ValueError(f"[sandbox: {name} {rest}]: no such directive; docs/sandbox.md has them")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return False
    return True

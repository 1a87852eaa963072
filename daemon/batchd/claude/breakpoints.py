"""Cache breakpoints of a request: how many there may be, and in which order their lives.

Source: docs "Prompt caching": at most four, the automatic one at the top level among them; those of an hour stand
before those of five minutes, in the order tools, system, messages, automatic. Where the last block carries one, the
automatic one falls together with it, and must be of the same life.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from batchd.claude.shapes import Breakpoint, written
from batchd.text.strictjson import Flaw

MOST: Final = 4
_ORDER: Final = ("tools", "system", "messages", "cache_control")


def check(found: Mapping[str, list[Breakpoint]], params: Mapping[str, Any]) -> Iterator[Flaw]:
    """Check all breakpoints of a request.

    Args:
        found: Where breakpoints stand, by the parameter that holds them.
        params: The whole request, with sound `messages` if it has any.
    """
    automatic, last = _control(params), _control(_last_block(params))
    if automatic and last and _long(automatic) != _long(last):
        yield Flaw("cache_control", "has another ttl than the last block of the last message; make them one")
    ordered = [(written(each.path), each.long) for key in _ORDER[:-1] for each in found.get(key, ())]
    if automatic and not last:
        ordered.append(("cache_control", _long(automatic)))
    if len(ordered) > MOST:
        said = f"{len(ordered)} cache_control breakpoints; at most {MOST} are possible, keep the last ones"
        yield Flaw("", said)
    yield from _out_of_order(ordered)


def _out_of_order(ordered: Sequence[tuple[str, bool]]) -> Iterator[Flaw]:
    """Find the first that lives for an hour behind one that does not."""
    short = next((index for index, (_, long) in enumerate(ordered) if not long), len(ordered))
    for place, long in ordered[short:]:
        if long:
            before = ordered[short][0]
            yield Flaw(
                place, f"a ttl of 1h may not come after one of 5m, which is at {before}: tools, system, messages"
            )
            return


def _last_block(params: Mapping[str, Any]) -> Mapping[str, Any]:
    messages = params.get("messages") or [{}]
    content = messages[-1].get("content")
    return content[-1] if isinstance(content, list) and content else {}


def _control(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = part.get("cache_control")
    return found if isinstance(found, dict) else None


def _long(control: Mapping[str, Any]) -> bool:
    return control.get("ttl") == "1h"

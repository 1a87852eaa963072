"""Pings: a dead man's switch is asked by GET, as Healthchecks has it, and tells people when nothing comes any more."""

from typing import Final

from batchd.edges.sinks.http import Unsent, call
from batchd.notice import DONE, Attempt, Told
from batchd.settings import Sink

_TAKEN: Final = range(200, 300)


async def ping(sink: Sink, how: str) -> Attempt:
    """Ping once.

    Args:
        sink: One with an address to be pinged.
        how: Empty for well; `start`, or `fail`.
    """
    if sink.ping is None:
        return Attempt(Told.NEVER, "it has no address")
    address, mark, query = sink.ping.value.partition("?")
    url = f"{address.rstrip('/')}/{how}{mark}{query}" if how else sink.ping.value
    try:
        status = await call("GET", url, private=sink.private, headers={})
    except Unsent as error:
        return Attempt(Told.NEVER, str(error))
    return DONE if status in _TAKEN else Attempt(Told.NEVER, f"HTTP {status}")

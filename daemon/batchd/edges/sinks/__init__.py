"""Sinks: where notices go, each with its own way of taking one; made of what the settings say of it."""

from typing import Protocol

from batchd.decisions.notices.body import test_message
from batchd.edges.sinks.apprise import AppriseSink
from batchd.edges.sinks.command import CommandSink
from batchd.notice import Attempt, Message, Told
from batchd.settings import Sink

__all__ = ["Taker", "taker_of", "tried"]


class Taker(Protocol):
    """What takes notices one by one, some at a time."""

    async def deliver(self, message: Message) -> Attempt:
        """Try once to deliver a message."""


def taker_of(sink: Sink) -> Taker | None:
    """Make what takes the notices of a sink; None for one that is only pinged."""
    if sink.url is not None:
        from batchd.edges.sinks.webhook import Webhook  # noqa: PLC0415  a tenth of a second, for an HTTP client

        return Webhook(sink.url.value, sink.secret, private=sink.private)
    if sink.command:
        return CommandSink(sink.command)
    if sink.apprise is not None:
        return AppriseSink(sink.apprise.value)
    return None


async def tried(sink: Sink, taker: Taker | None, installation: str, now: float) -> Attempt:
    """Try a sink once, with a notice of nothing, or a ping.

    Args:
        sink: What the settings say of it.
        taker: From `taker_of`.
        installation: Which one tells it.
        now: Unix seconds.
    """
    if taker is not None:
        return await taker.deliver(test_message(f"msg_{installation}_test_{int(now * 1_000)}", now))
    if sink.ping is None:
        return Attempt(Told.NEVER, "it has no address")
    from batchd.edges.sinks.ping import ping  # noqa: PLC0415  see above

    return await ping(sink, "")

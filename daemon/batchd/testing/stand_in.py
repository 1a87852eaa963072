"""The stand-in of the API in a thread of its own, for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from anyio.from_thread import BlockingPortal, start_blocking_portal

from batchd.sandbox import Asked, Line, SandboxServer, SandboxSettings, Script, serve
from batchd.testing.daemon import Places, daemon_process, surrounded
from batchd.testing.names import Names


class StandIn:
    """A real HTTP server on a free port of 127.0.0.1, which speaks the Messages API and its batches."""

    def __init__(self, server: SandboxServer, script: Script, portal: BlockingPortal) -> None:
        self.url = server.base_url
        """For `base_url` of a client, or `$ANTHROPIC_BASE_URL`; any key will do."""
        self.server = server
        """Its ledger of what was charged, and the faults that it makes."""
        self._script = script
        self._portal = portal

    @property
    def requests(self) -> list[Asked]:
        """What was asked so far: `custom_id` and `params` of each, in the order of their coming.

        The `custom_id` of a message by itself is None.
        """
        return self._script.asked

    def script(self, custom_id: str, text: str | None = None, *, error: str | None = None) -> None:
        """Say how a request is answered; without a script it gets a text that means nothing.

        Said several times for one `custom_id`, each sending takes the next, and all further ones the last: so a
        request may fail first, and be answered when it is sent again.

        Args:
            custom_id: Of the request: as a client sends it; of one that a daemon of `daemon` sends, its own in the job.
            text: The whole answer. JSON becomes the input of a tool that has to be called.
            error: An `error.type` of the API such as `overloaded_error`, `expired`, or the message of an error
                of the request itself.

        Raises:
            ValueError: Neither or both of text and error were said.
        """
        if (text is None) == (error is None):
            raise ValueError("say either the text of the answer or the error")
        self._script.add(custom_id, Line(text, error))

    @contextmanager
    def daemon(self, folder: Path, **settings: object) -> Iterator[Places]:
        """Run `batchd` on a folder, with this stand-in for the API, in a process of its own.

        Its inbox is taken, and its outbox filled, within tenths of a second. For as long as the block lasts,
        `batchd.submit`, `wait`, `results` and the command find these folders by themselves, in this process and in
        those that it starts.

        Args:
            folder: Where inbox, outbox and state lie; a `batchd.toml` in it counts.
            settings: More of them, by table: `retry={"max_attempts": 1}`.

        Raises:
            RuntimeError: It did not start; what it said is in the message.
        """
        places = Places.below(folder)
        with ExitStack() as around:
            around.enter_context(surrounded(places))
            around.enter_context(daemon_process(self.url, settings))
            names = around.enter_context(self._portal.wrap_async_context_manager(Names.of(places.state)))
            before, self._script.named = self._script.named, names.of_wire_id
            around.callback(setattr, self._script, "named", before)
            yield places


@contextmanager
def sandbox(
    *,
    duration: float = 0.0,
    seed: int = 0,
    api_key: str | None = None,
    requests_per_minute: int | None = None,
) -> Iterator[StandIn]:
    """Run a stand-in of the API in a thread, on a free port, for as long as the block lasts.

    Args:
        duration: Seconds that a small batch takes.
        seed: Another seed writes other texts.
        api_key: The only key that it takes; any, if not given.
        requests_per_minute: Calls a minute before a 429; any number, if not given.
    """
    settings = SandboxSettings(duration=duration, seed=seed, api_key=api_key, requests_per_minute=requests_per_minute)
    script = Script()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve(settings, script=script)) as server:
        yield StandIn(server, script, portal)

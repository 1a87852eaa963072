"""Commands that are told: run without a shell, the notice on their stdin, with no key and nothing else of ours."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import Process

from batchd.notice import DONE, PREFIX, Attempt, Message, Told

LONGEST: Final = 30.0
"""Seconds that a command may take."""
_TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h."""
_KEPT: Final = ("PATH", "LANG")


class CommandSink:
    """A command that is run for each notice."""

    def __init__(self, command: Sequence[str], *, longest: float = LONGEST) -> None:
        """Make one.

        Args:
            command: With its arguments.
            longest: Seconds that it may take.
        """
        self._command = command
        self._longest = longest

    async def deliver(self, message: Message) -> Attempt:
        """Try once to deliver a message."""
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment["BATCHD_EVENT"] = PREFIX + message.kind
        try:
            process = await anyio.open_process(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else None
            return Attempt(Told.AGAIN, f"it cannot be run: {said or type(error).__name__}")
        try:
            with anyio.fail_after(self._longest):
                await _feed(process, message.body)
                status = await process.wait()
        except TimeoutError:
            return Attempt(Told.AGAIN, f"it took over {self._longest:.0f} s, and was ended")
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
        if status == 0:
            return DONE
        return Attempt(Told.AGAIN if status == _TRY_AGAIN else Told.NEVER, f"it ended with {status}")


async def _feed(process: Process, body: bytes) -> None:
    """Give a process its input; one that does not read it may be content all the same."""
    if process.stdin is not None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await process.stdin.send(body + b"\n")
        with suppress(anyio.BrokenResourceError, OSError):
            await process.stdin.aclose()


async def _end(process: Process) -> None:
    """End a process, and all that it has started: they have a group of their own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    await process.aclose()

"""What a person wants done is done by the command itself, in a process of its own.

So the page has no second way to change anything, and what somebody uploads is read by another process than the one that
holds everybody's sessions.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import anyio
import msgspec

_LONGEST: Final = 120.0
"""Seconds that a command may take."""
_MOST: Final = 2
"""Commands at one time."""
_LAST: Final = 5
_TOO_LONG: Final = 124


@dataclass(frozen=True, slots=True)
class Said:
    """What a command has said."""

    code: int
    out: bytes
    lines: tuple[str, ...]
    """Of stderr, the last."""

    @property
    def data(self) -> dict[str, object]:
        """The object that it printed; empty where it printed none."""
        try:
            return msgspec.json.decode(self.out, type=dict[str, object])
        except msgspec.DecodeError:
            return {}


class Commands:
    """Runs commands with the settings of this one."""

    def __init__(self, flags: Sequence[str]) -> None:
        self._flags = tuple(flags)
        self._room = anyio.CapacityLimiter(_MOST)

    async def run(self, command: str, *words: str, names: Sequence[str] = ()) -> Said:
        """Run a command.

        Args:
            command: Its name.
            words: Its options.
            names: What it is about, whatever that begins with.
        """
        called = [sys.executable, "-m", "batchd", command, *self._flags, *words, "--", *names]
        async with self._room:
            with anyio.move_on_after(_LONGEST):
                done = await anyio.run_process(
                    called, input=b"", check=False, stderr=subprocess.PIPE, env=_environment()
                )
                told = done.stderr.decode("utf-8", "replace").strip().splitlines()
                return Said(done.returncode, done.stdout, tuple(told[-_LAST:]))
        return Said(_TOO_LONG, b"", (f"it took longer than {_LONGEST:.0f} s, and was ended",))


def _environment() -> dict[str, str]:
    """Without what makes a command one of a service manager."""
    return {key: value for key, value in os.environ.items() if key not in {"NOTIFY_SOCKET", "WATCHDOG_USEC"}}

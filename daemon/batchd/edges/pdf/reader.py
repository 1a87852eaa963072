"""Asks a process of its own how many pages a PDF has. It blocks: callers run it in a worker thread."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from batchd.errors import Unavailable
from batchd.text import typed

PATIENCE: Final = 5.0
"""Seconds for one file."""
_START: Final = 60.0
"""Seconds for the process to begin, on the busiest machine."""
_WORKER: Final = Path(__file__).with_name("worker.py")
_PIECE: Final = 1 << 20


class _Answer(msgspec.Struct):
    pages: int = 0
    encrypted: bool = False
    ready: bool = False


class PdfReader:
    """Reads PDFs in a process that begins with the first of them, and anew where one has ended it."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process(self) -> int | None:
        """The id of the process; None while there is none."""
        return self._process.pid if self._process else None

    def pages(self, data: bytes, most: int) -> int | str:
        """Count the pages of a PDF.

        Args:
            data: The whole file.
            most: Pages beyond which it matters only that there are more.

        Returns:
            How many it has; or what is wrong with it.

        Raises:
            Unavailable: No process could be started.
        """
        file = os.memfd_create("pdf")
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view[:_PIECE]) :]
            os.lseek(file, 0, os.SEEK_SET)
            answer = self._ask(file, most)
        finally:
            os.close(file)
        if answer is None or (answer.pages < 1 and not answer.encrypted):
            return "cannot be read as a PDF; open it and save it again, or print it into a new one"
        if answer.encrypted:
            return "is encrypted, or its rights are restricted; save it without a password"
        return answer.pages

    def _ask(self, file: int, most: int) -> _Answer | None:
        """Ask about an open file; None where that has ended the process, or takes too long."""
        parent = self._socket or self._start()
        try:
            parent.settimeout(self._patience)
            socket.send_fds(parent, [b"%d" % most], [file])
            return typed.decode(parent.recv(256), _Answer)
        except (OSError, msgspec.MsgspecError):
            self.close()
            return None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Isolated, and without our environment, in which the key may stand.
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and worker
                [sys.executable, "-I", str(_WORKER)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        self._socket = ours
        try:
            ours.settimeout(_START)
            typed.decode(ours.recv(256), _Answer)
        except (OSError, msgspec.MsgspecError):
            self.close()
            raise Unavailable("PDFs cannot be read here: their reader, pypdfium2, does not start") from None
        return ours

    def close(self) -> None:
        """End the process, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._process = None

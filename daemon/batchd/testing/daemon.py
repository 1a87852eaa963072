"""A daemon in a process of its own, which works against a stand-in of the API: what tests run, and end."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Final, Self

_QUICK: Final[Mapping[str, Mapping[str, object]]] = {
    "intake": {"settle": 0.05, "bundle_settle": 0.1},
    "batch": {"linger": 0.05},
    "poll": {"initial": 0.1, "max": 0.5},
    "api": {"requests_per_minute": 60000},
}
_READY: Final = "event=ready"
_GRACE: Final = 15.0
"""Seconds: a daemon ends within 10."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one installation."""

    folder: Path
    inbox: Path
    outbox: Path
    state: Path

    @classmethod
    def below(cls, folder: Path) -> Self:
        """Name them as the command does that is run in a folder."""
        folder = folder.absolute()
        return cls(folder, folder / "inbox", folder / "outbox", folder / ".batchd")


@contextmanager
def surrounded(places: Places) -> Iterator[None]:
    """Let whatever looks for the settings find these folders, and none of the machine's."""
    own = places.folder / "batchd.toml"
    ours = {
        "BATCHD_CONFIG": str(own if own.exists() else os.devnull),
        "BATCHD_INBOX": str(places.inbox),
        "BATCHD_OUTBOX": str(places.outbox),
        "BATCHD_STATE": str(places.state),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def daemon_process(url: str, settings: Mapping[str, object]) -> Iterator[None]:
    """Run the daemon from the moment that it is ready to the end of the block.

    Raises:
        RuntimeError: It ended before it was ready.
    """
    process = subprocess.Popen(  # noqa: S603  this very interpreter
        [sys.executable, "-m", __name__, json.dumps([url, settings])],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    said: deque[str] = deque(maxlen=50)
    told = Queue[bool]()
    listener = threading.Thread(target=_listen, args=(process, said, told), daemon=True)
    listener.start()
    try:
        if not told.get():
            raise RuntimeError("the daemon did not start: " + "".join(said))
        yield
    finally:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join()


def _listen(process: "subprocess.Popen[str]", said: deque[str], ready: "Queue[bool]") -> None:
    """Read what it says to its end, so that it never waits for a reader; tell whether it is ready, or ended before."""
    if process.stderr is None:
        return
    with process.stderr as lines:
        for line in lines:
            said.append(line)
            if _READY in line:
                ready.put(True)
    ready.put(False)


def main(said: str) -> None:
    """Be that process.

    Args:
        said: JSON of the stand-in's address and further settings.
    """
    from functools import partial  # noqa: PLC0415  the rest of this function is what only that process needs

    import anyio  # noqa: PLC0415  same

    from batchd import app  # noqa: PLC0415  same
    from batchd.cli.exit_codes import exit_code_of  # noqa: PLC0415  same
    from batchd.cli.logs import set_up_logs  # noqa: PLC0415  same
    from batchd.settings import load_settings  # noqa: PLC0415  same

    os.umask(0o077)
    url, more = json.loads(said)
    set_up_logs()
    flags = {**more, "api": {**more.get("api", {}), "base_url": url}}

    def serve() -> None:
        settings = load_settings(flags, None, base=_QUICK)
        anyio.run(partial(app.serve, settings, "sk-sandbox", sandbox=True))

    sys.exit(exit_code_of(serve))


if __name__ == "__main__":
    main(sys.argv[1])

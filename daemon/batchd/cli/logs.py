"""Logs go to stderr: readable on a terminal, logfmt elsewhere; never a traceback, a prompt or an answer."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb

import structlog
from structlog.typing import EventDict, WrappedLogger

from batchd.cli.console import printable

_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog's numbers, by which `journalctl -p` filters (sd-daemon(3))."""


def set_up_logs(*, verbose: bool = False, quiet: bool = False) -> None:
    """Choose what is logged and how it looks.

    Args:
        verbose: Debug messages too.
        quiet: Only warnings and errors.
    """
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[structlog.processors.add_log_level, _without_traceback, _printable, *_look()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)


def _look() -> list[structlog.typing.Processor]:
    if sys.stderr.isatty():
        time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        return [time, structlog.dev.ConsoleRenderer(colors=not os.environ.get("NO_COLOR"), pad_event_to=20)]
    if "JOURNAL_STREAM" in os.environ:  # the journal has its own time
        return [
            structlog.processors.LogfmtRenderer(key_order=["level", "event"]),
            *([_prioritized] if _journal() else []),
        ]
    time = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [time, structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])]


def _journal() -> bool:
    """Whether stderr itself is the journal, and not a file that a child of a service writes (systemd.exec(5))."""
    with suppress(OSError, ValueError):
        stat = os.fstat(sys.stderr.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"
    return False


def _prioritized(_: WrappedLogger, name: str, line: EventDict | str) -> str:
    return f"<{_PRIORITY.get(name, 6)}>{line}"


def _without_traceback(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name an exception instead of showing it: its text may hold what users wrote."""
    found = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
    return event


def _printable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Make values safe to show: a file's name must not end a line, nor move the cursor."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


class _Stderr:
    """Writes lines to whatever stderr is just now (a live display may stand in for it)."""

    def __init__(self, *_: object) -> None:
        """Ignore the arguments that structlog gives to each logger."""

    def msg(self, line: str) -> None:
        """Write a line; a closed stderr must not stop the daemon."""
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201  this is where logs come out

    debug = info = warning = error = critical = log = msg


class _Library(logging.Handler):
    """Passes on what libraries log, without values and without tracebacks."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        error = record.exc_info[1] if record.exc_info else None
        about: dict[str, object] = {"library": record.name, "message": str(record.msg).partition("\n")[0]}
        if error is not None:
            last = extract_tb(error.__traceback__)[-1:]
            about["error"] = type(error).__name__
            about["at"] = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in last)
        structlog.get_logger().log(record.levelno, "library", **about)

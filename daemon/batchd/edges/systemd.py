"""Messages to the service manager: readiness, watchdog, status (sd_notify(3): a datagram to a socket)."""

import os
import socket


def notify(message: str) -> bool:
    """Tell the service manager something, if there is one.

    Args:
        message: Such as `READY=1`, `STOPPING=1`, `WATCHDOG=1` or `STATUS=…`.

    Returns:
        Whether the message was sent.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto(message.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
        except OSError:
            return False
    return True


def watchdog_interval() -> float | None:
    """Say how often, in seconds, the manager wants to hear `WATCHDOG=1`; None when it does not watch this process."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (process and process != str(os.getpid())):
        return None
    return int(microseconds) / 1e6 / 2

"""The settings of the sandbox."""

from dataclasses import dataclass
from pathlib import Path

from batchd.sandbox.faults import Fault


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Everything that can be set; the defaults are the API's own limits, and a batch of about a second."""

    host: str = "127.0.0.1"
    """Loopback only: whatever this server is told to do must not be reachable from elsewhere."""
    port: int = 0
    """0 takes any free port."""
    state: Path | None = None
    """Folder in which batches survive the process, `kill -9` included; None keeps them until the end of it."""
    api_key: str | None = None
    """The only key taken; None takes any, as long as there is one."""
    workspaces: bool = False
    """Whether each key is of a workspace of its own, and sees that one's batches alone."""
    duration: float = 1.0
    """Seconds a small batch takes; 1,000 requests take twice as long, 4,000 and more five times. 0 ends at once."""
    cancel_duration: float = 0.2
    """Seconds from the call of cancel to the end of the batch."""
    message_duration: float = 0.0
    """Seconds over which the answer to a message by itself is streamed, or after which it comes where it is not."""
    expire_after: float = 24 * 3600.0
    """Seconds after which what is unprocessed expires."""
    archive_after: float = 29 * 24 * 3600.0
    """Seconds after `created_at` for which results can be downloaded."""
    requests_per_minute: int | None = None
    """Calls a minute, all routes of the API together, before a 429; None for any number."""
    max_queued_requests: int | None = None
    """Requests in unfinished batches, before a create gets 429; None for any number."""
    max_requests: int = 100_000
    """Requests a batch may have."""
    max_bytes: int = 256_000_000
    """Bytes a body may have, before 413."""
    keep_alive: int = 60
    """Seconds after which an idle connection is closed."""
    cache_hits: float = 1.0
    """Share of the requests that find what is in the cache; the API tells of 0.3 to 0.98, and promises none."""
    organization: str = "0b8a1c2e-5a4d-4c1f-9e6b-5d7f3a2c1b00"
    """In the header `anthropic-organization-id` of every answer; empty for no such header."""
    seed: int = 0
    """Another seed writes other texts under other ids."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong from the start; more through `POST /sandbox/faults`."""

    def __post_init__(self) -> None:
        if not (self.host == "localhost" or self.host.startswith("127.")):
            raise ValueError(f"host: {self.host!r} is not a loopback address, such as 127.0.0.1")

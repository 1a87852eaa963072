"""What the commands that keep an installation print with `--json`: pauses, pruning, notices."""

from typing import Literal

import msgspec


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """What is not sent for a while."""

    folder: str | None
    """None where everything is paused."""
    since: str
    until: str | None
    by: str
    reason: str | None


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd pause --json` prints."""

    schema: Literal["batchd/pause/1"] = "batchd/pause/1"
    paused: list[Pause]
    """All that is paused from now on."""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd resume --json` prints."""

    schema: Literal["batchd/resume/1"] = "batchd/resume/1"
    resumed: int
    """Pauses that have ended."""
    paused: list[Pause]
    """What is paused still."""


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is removed, or would be."""

    what: Literal["outbox", "documents_only", "rejected", "rows"]
    path: str
    bytes: int


class Stays(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that stays, though what is like it was asked for."""

    path: str
    reason: str


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd prune --json` prints."""

    schema: Literal["batchd/prune/1"] = "batchd/prune/1"
    removes: list[Removed]
    keeps: list[Stays]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How it went to tell a sink of nothing."""

    ok: bool
    reason: str | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How a notice stands with a sink."""

    sink: str
    state: Literal["waiting", "done", "failed"]
    attempts: int
    next_at: str | None
    done_at: str | None
    reason: str | None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What was told, or is to be told."""

    id: str
    type: str
    timestamp: str
    queue: str | None
    data: dict[str, msgspec.Raw]
    deliveries: list[Delivery]


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """What `batchd notify --json` prints: `test` tells of sinks, `list` of notices."""

    schema: Literal["batchd/notify/1"] = "batchd/notify/1"
    sinks: dict[str, Tried] = {}
    notices: list[Notice] = []

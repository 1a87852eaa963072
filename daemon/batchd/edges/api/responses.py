"""What the API answers, as values of ours; gateways leave things out, so everything but an id may be absent."""

from datetime import datetime
from typing import TypeVar

import httpx2
import msgspec

from batchd.edges.api.troubles import date_of
from batchd.errors import Garbled
from batchd.model import Counts, RemoteBatch, RemoteId
from batchd.text import typed

T = TypeVar("T")

_LONGEST_NAME = 100


class BatchAnswer(msgspec.Struct, frozen=True):
    """A batch as JSON; everything but the id may be absent, since gateways leave things out."""

    id: str
    processing_status: str = "in_progress"
    request_counts: Counts = Counts()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    archived_at: datetime | None = None
    results_url: str | None = None


class PageAnswer(msgspec.Struct, frozen=True):
    """One page of the list as JSON."""

    data: list[BatchAnswer]
    has_more: bool = False
    last_id: str | None = None


class CountAnswer(msgspec.Struct, frozen=True):
    """What token counting says, as JSON."""

    input_tokens: int


class Page(msgspec.Struct, frozen=True):
    """One page of the API's list, newest first."""

    batches: list[RemoteBatch]
    next_after: RemoteId | None
    """Where the next page begins; None on the last one."""
    server_time: float | None
    organization: str | None = None
    """Whose key it was, as the header `anthropic-organization-id` says."""


def organization_of(response: httpx2.Response) -> str | None:
    """Whose key it was; None where the server does not say, as gateways do not."""
    said = response.headers.get("anthropic-organization-id", "")
    return said if said.isprintable() and 0 < len(said) <= _LONGEST_NAME else None


def decoded(response: httpx2.Response, kind: type[T]) -> T:
    """Read an answer.

    Args:
        response: Whole.
        kind: What it should be.

    Raises:
        Garbled: It is not.
    """
    try:
        return typed.decode(response.content, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(f"the API's answer cannot be read ({type(error).__name__})") from error


def remote_of(batch: BatchAnswer, response: httpx2.Response) -> RemoteBatch:
    """Describe a batch.

    Args:
        batch: As it came.
        response: The answer it came in.
    """
    server_time = date_of(response)

    def seconds(when: datetime | None) -> float | None:
        return None if when is None else when.timestamp()

    return RemoteBatch(
        id=RemoteId(batch.id),
        status=batch.processing_status,
        counts=batch.request_counts,
        # One without a date counts as new, so that it is looked at rather than passed over.
        created_at=seconds(batch.created_at) or server_time or float("inf"),
        expires_at=seconds(batch.expires_at),
        ended_at=seconds(batch.ended_at),
        archived_at=seconds(batch.archived_at),
        results_url=batch.results_url,
        server_time=server_time,
    )

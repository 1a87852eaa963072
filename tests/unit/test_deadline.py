"""Until when a batch may say that it is under way."""

import pytest
from batchd.decisions.batch.deadline import LIFE, OVERDUE, overdue
from batchd.model import Counts, RemoteBatch, RemoteId


def remote(*, expires_at: float | None, server_time: float | None) -> RemoteBatch:
    created_at = server_time or float("inf")
    return RemoteBatch(
        RemoteId("r"), "in_progress", Counts(1), created_at, expires_at=expires_at, server_time=server_time
    )


def test_the_servers_own_time_decides_where_it_tells_it() -> None:
    told = remote(expires_at=1_000.0, server_time=1_000.0 + OVERDUE)
    assert not overdue(told, submitted_at=0.0, now=9e9)
    late = remote(expires_at=1_000.0, server_time=1_001.0 + OVERDUE)
    assert overdue(late, submitted_at=0.0, now=0.0)


@pytest.mark.parametrize(("expires_at", "server_time"), [(None, None), (1_000.0, None), (None, 5_000.0)])
def test_a_server_that_does_not_tell_is_held_to_the_apis_promise(
    expires_at: float | None, server_time: float | None
) -> None:
    silent = remote(expires_at=expires_at, server_time=server_time)
    assert not overdue(silent, submitted_at=100.0, now=100.0 + LIFE + OVERDUE)
    assert overdue(silent, submitted_at=100.0, now=101.0 + LIFE + OVERDUE)
    assert not overdue(silent, submitted_at=None, now=9e9)

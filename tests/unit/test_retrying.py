"""What an error asks for: the one table by which trouble is sorted."""

import errno

import pytest
from batchd.decisions.batch.backoff import PARKED, PATIENCE, Backoff
from batchd.errors import Defect, Garbled, Parked, Unavailable, Unusable
from batchd.running.retrying import wait_of


@pytest.mark.parametrize(
    ("error", "backoff", "at_least", "defect"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), PATIENCE, 0.0, False),
        (OSError(errno.EMFILE, "Too many open files"), PATIENCE, 0.0, False),
        (Unavailable("busy", 7.0), PATIENCE, 7.0, False),
        (Garbled("no JSON"), PATIENCE, 0.0, False),
        (Parked("no credit", 9.0), PARKED, 9.0, False),
        (KeyError("sk-ant-secret"), PARKED, 0.0, True),
        (Defect("a defect"), PARKED, 0.0, True),
        (ExceptionGroup("", [OSError(errno.EIO, "Input/output error"), KeyError("x")]), PARKED, 0.0, True),
    ],
)
def test_what_passes_is_repeated_soon_and_a_defect_is_parked(
    error: Exception, backoff: Backoff, at_least: float, *, defect: bool
) -> None:
    wait = wait_of(error)
    assert (wait.backoff, wait.at_least, wait.defect) == (backoff, at_least, defect)
    assert "sk-ant-secret" not in wait.reason


def test_the_name_of_a_file_is_not_told() -> None:
    assert (
        wait_of(OSError(errno.ENOSPC, "No space left on device", "their secret.md")).reason == "No space left on device"
    )


def test_only_an_installation_that_cannot_work_ends_the_rest() -> None:
    with pytest.raises(Unusable):
        wait_of(ExceptionGroup("", [KeyError("x"), Unusable("another's database")]))

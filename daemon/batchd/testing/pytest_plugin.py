"""What pytest finds by itself: the fixture `batchd_sandbox`, which costs nothing where no test asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from batchd.testing.stand_in import StandIn


@pytest.fixture
def batchd_sandbox() -> "Iterator[StandIn]":
    """A stand-in of the API, fresh for each test, which answers as the test says."""
    from batchd.testing import sandbox  # noqa: PLC0415  a web server, which most tests do without

    with sandbox() as box:
        yield box

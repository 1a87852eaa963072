"""What holds for every test: an environment that is the same everywhere, and no clock that decides."""

from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.house import House, house
from tests.support.surroundings import isolate

isolate()

# How long an example takes, and how long it takes to make one, are matters of the machine.
hypothesis.settings.register_profile("batchd", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("batchd")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened

"""What holds for every test: an environment that is the same everywhere, and no clock that decides."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from batchd.edges.store import Place

from tests.support import postgresql
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
def store_url(request: pytest.FixtureRequest) -> str:
    """The database of a house: its own file, or for `TORTURE_STORE=postgresql` one on a server, of whole suites."""
    if os.environ.get("TORTURE_STORE") != "postgresql":
        return ""
    started: postgresql.Server = request.getfixturevalue("server")
    return started.with_tables()


@pytest.fixture
async def home(tmp_path: Path, store_url: str) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        opened.store = store_url
        yield opened


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """A server of PostgreSQL; one for all tests of a process that want it."""
    programs = postgresql.binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    with postgresql.running(programs) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where the database of a store is: what a test shows with it, it shows of both."""
    if request.param == "sqlite":
        return tmp_path / "batchd.sqlite"
    started: postgresql.Server = request.getfixturevalue("server")
    return started.with_tables()

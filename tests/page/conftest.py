from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.page import Visit, build, served


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose daemon has ended; tests only look at it."""
    home = tmp_path_factory.mktemp("seen")
    build(home)
    return home


@pytest.fixture(scope="session")
def visit(seen: Path) -> Iterator[Visit]:
    """Its page as it is by default."""
    with served(seen) as page:
        yield page


@pytest.fixture(scope="session")
def all_shown(seen: Path) -> Iterator[Visit]:
    """Its page with all content."""
    with served(seen, content="all") as page:
        yield page

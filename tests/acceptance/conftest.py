from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation


@pytest.fixture
def batchd(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    for process in installation.running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def under_way(batchd: Installation) -> Installation:
    """A job whose only batch is at the API and takes long, with no daemon running any more."""
    batchd.drop("slow.md", "Answer slowly. [sandbox: take 3]")
    process = batchd.start("run", "--sandbox")
    batchd.wait_until(lambda: batchd.state.exists() and [b for b in batchd.status()["batches"] if b["remote_id"]])
    assert batchd.stop(process) == 0
    return batchd

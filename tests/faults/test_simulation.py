import pytest

from tests.faults.simulation import simulate

pytestmark = pytest.mark.anyio


async def test_no_history_doubles_loses_or_confuses_a_batch() -> None:
    tally = await simulate(25)
    assert tally.submissions > 200
    assert min(tally.faults[fault] for fault in ("lost before", "lost after", "kill after", "kill", "read fails")) > 10
    assert (tally.duplicates, tally.lost, tally.wrongly_adopted, tally.held) == (0, 0, 0, 0)

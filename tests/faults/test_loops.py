"""A defect that one of the endless loops meets ends neither the daemon nor the loop."""

from collections.abc import Awaitable, Callable

import pytest
from batchd.edges.clock import Bell
from batchd.edges.store.sqlite.database import SqliteDatabase
from batchd.journey.restoring import Restoring

from tests.support.house import House

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Bell, "wait_at_most"), (SqliteDatabase, "version_of_data"), (Restoring, "run")],
    ids=str,
)
async def test_it_goes_on_after_a_defect(home: House, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    honest: Callable[..., Awaitable[object]] = getattr(owner, name)
    calls = 0

    async def fails_once(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyError("planted")
        return await honest(*args)

    monkeypatch.setattr(owner, name, fails_once)
    home.drop("a.jsonl", ["one", "two"])
    await home.run()
    assert calls
    assert home.job("a")["state"] == "done"
    home.assert_nothing_twice()

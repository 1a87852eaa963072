"""Accounts: nobody is ever asked in the place of a key that is not there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest
from batchd.edges.api import Api
from batchd.edges.clock import Clock
from batchd.edges.store import Store
from batchd.errors import Parked, Unusable
from batchd.running.accounts import OWN, Accounts, Wanted
from batchd.running.key import Key

pytestmark = pytest.mark.anyio


class Calls:
    """What would call the API, and has not done so."""

    prepared = False

    def __init__(self, key: str) -> None:
        self.key = key


@asynccontextmanager
async def connect(key: str, base_url: str, account: str) -> AsyncIterator[Api]:  # noqa: ARG001  the form of it
    assert base_url == "https://api.test"
    yield cast("Api", Calls(key))


def wanted(key: str | None) -> Wanted:
    def find() -> str:
        if key is None:
            raise Unusable("the key cannot be read")
        return key

    return Wanted(find, "https://api.test", key)


async def test_only_an_account_that_has_a_key_is_asked() -> None:
    own = cast("Api", Calls("own"))
    async with AsyncExitStack() as kept:
        accounts = Accounts(own, cast("Key", None), cast("Store", None), Clock(), connect, kept)
        await accounts.become({"legal": wanted("l"), "gone": wanted(None)}, {"legal": "legal"}, per_minute=1)
        assert accounts.api(OWN) is own
        legal = accounts.api("legal")
        assert cast("Calls", legal).key == "l"
        with pytest.raises(Parked, match="cannot be read"):
            accounts.api("gone")
        with pytest.raises(Parked, match=r"\[keys.never\] is not in the settings"):
            accounts.api("never")
        assert [accounts.of_job(name) for name in ("legal/a/b", "legal", "other/a")] == ["legal", OWN, OWN]

        await accounts.become({"legal": wanted("l")}, {}, per_minute=1)
        assert accounts.api("legal") is legal, "it is the same as before"
        await accounts.become({}, {}, per_minute=1)
        assert accounts.names == {OWN}
        with pytest.raises(Parked):
            accounts.api("legal")

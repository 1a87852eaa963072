"""Databases of other builds and versions on a server: they go on, or are refused in one sentence, as files are."""

import shutil
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from batchd.edges.store import open_store
from batchd.edges.store.postgresql import schema
from batchd.edges.store.sqlite.schema import newest

from tests.faults.test_resources import look
from tests.support.house import House
from tests.support.postgresql import Server

pytestmark = pytest.mark.anyio

OLD = Path(__file__).parents[1] / "data" / "database_of_schema_3"
LANDED = {
    "003-after.sql": "9ede498fea7ef4fec01f47abbdaa8e57190e734a42bbcd3f54337ca225b04c88",
    "003-before.sql": "1f6124ba11a9f76201e9bfd4ea72e2d3659878dc60d264c4110ae2ec83b254cc",
}
"""What some database was made with beside the migrations, by its SHA-256."""
TABLES_OF_3 = "6baec8a28c23c2f8ff805ce4087c42f0088eed2ee3c83b25ce0d7266fd348509"
"""Of all the statements that the first version for a server made its tables with."""


def old_database(home: House, server: Server) -> str:
    """A database and spool as commit dc283b6 left them: a job delivered, two more planned."""
    home.state.mkdir()
    home.state.chmod(0o700)
    shutil.copytree(OLD / "spool", home.state / "spool")
    return server.restore(OLD / "batchd.sql")


async def refused(home: House, url: str, why: str, *commands: tuple[str, ...]) -> None:
    for words in commands:
        said = await to_thread.run_sync(partial(look, home, *words, "--set", f"store={url}"))
        assert why in said, words
        assert said.endswith("exit 1" if words[0] == "doctor" else "exit 2"), words
        assert "defect" not in said


async def test_a_database_of_the_version_before_goes_on_with_its_work(home: House, server: Server) -> None:
    url = old_database(home, server)
    await refused(home, url, "it has schema 3", ("status",), ("cancel", "orders"), ("costs",))
    assert await home.run(store=url)
    assert home.results("orders") == {"r0": "succeeded", "r1": "succeeded"}
    assert home.results("orders-2") == {"orders": "succeeded"}
    assert sum(home.accepted().values()) == 3, "the first job's were delivered before"
    home.assert_nothing_twice()


async def test_two_that_find_an_old_database_bring_it_up_to_date_once(home: House, server: Server) -> None:
    url = old_database(home, server)

    async def start() -> None:
        async with open_store(url):
            pass

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(start)


async def test_an_old_database_ends_as_a_new_one_does(home: House, server: Server, tmp_path: Path) -> None:
    old = old_database(home, server)
    async with open_store(old):
        pass
    dump = tmp_path / "dump.sql"  # of a new one too: what was restored is written in other words
    dump.write_text(server.dump(server.with_tables()))
    assert _made(server.dump(old)) == _made(server.dump(server.restore(dump)))


def _made(dump: str) -> list[str]:
    """The statements of a dump that make something, in an order that does not tell when; rows apart."""
    head, *copied = dump.split("COPY batchd.")
    text = head + "".join(part.partition("\\.\n")[2] for part in copied)
    return sorted(part.strip() for part in text.split(";\n\n") if "setval(" not in part)


CHANGES = {
    "a column less": "ALTER TABLE batchd.batches DROP COLUMN trouble",
    "a column more": "ALTER TABLE batchd.batches ADD COLUMN mood text",
    "an index less": "DROP INDEX batchd.batches_unresolved",
    "a table more": "CREATE TABLE batchd.more (one text)",
    "another build's": f"COMMENT ON SCHEMA batchd IS '{newest()} {'0' * 64}'",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_database_with_other_tables_is_refused_in_a_sentence(home: House, server: Server, change: str) -> None:
    url = server.with_tables()
    server.script(CHANGES[change], url)
    before = server.dump(url)
    await refused(home, url, "another build of batchd made it", ("run", "--once"), ("status",))
    assert server.dump(url) == before


async def test_an_old_database_with_other_tables_is_refused_by_every_command(home: House, server: Server) -> None:
    url = old_database(home, server)
    server.script(CHANGES["a column less"], url)
    commands = (("run", "--once"), ("status",), ("costs",), ("cancel", "orders"), ("doctor", "--offline"))
    await refused(home, url, "(batches.trouble)", *commands)


async def test_a_newer_database_is_refused(home: House, server: Server) -> None:
    url = server.with_tables()
    server.script("COMMENT ON SCHEMA batchd IS '999 x'", url)
    await refused(home, url, "newer batchd (schema 999", ("run", "--once"))


async def test_a_step_that_fails_changes_nothing(home: House, server: Server) -> None:
    url = old_database(home, server)
    server.script("CREATE VIEW batchd.agreed_settings AS SELECT 1 AS one", url)
    before = server.dump(url)
    await refused(home, url, "cannot be brought to schema", ("run", "--once"))
    assert server.dump(url) == before


def test_what_has_landed_beside_a_migration_is_never_rewritten() -> None:
    folder = files("batchd.edges.store.postgresql")
    assert {name: sha256((folder / name).read_bytes()).hexdigest() for name in LANDED} == LANDED
    version, statements = schema.steps()[0]
    assert version == schema.OLDEST
    assert sha256("\n".join(statements).encode()).hexdigest() == TABLES_OF_3


def test_no_migration_lays_a_table_anew() -> None:
    """A server would refuse: other tables refer to it."""
    for version, statements in schema.steps():
        for statement in statements:
            assert version == schema.OLDEST or "RENAME TO" not in statement.upper()

"""States of other builds and versions: they go on, or are refused in one sentence, by every command alike."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from anyio import to_thread
from batchd.edges.store import DATABASE, open_store, write_to_store
from batchd.edges.store.sqlite import schema
from batchd.edges.store.sqlite.database import SqliteDatabase
from batchd.errors import Unavailable, Unusable

from tests.faults.test_resources import look
from tests.support.house import House

pytestmark = pytest.mark.anyio

OLD = Path(__file__).parents[1] / "data" / "state_of_schema_1"


def old_state(home: House) -> None:
    """A state as commit 4739ae0 left it: a job accepted, its batch planned, and nothing sent."""
    home.state.mkdir()
    home.state.chmod(0o700)
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        database.executescript((OLD / "batchd.sql").read_text("utf-8"))
    shutil.copytree(OLD / "spool", home.state / "spool")


async def test_a_state_of_the_version_before_goes_on_with_its_work(home: House) -> None:
    old_state(home)
    said = await to_thread.run_sync(look, home, "status")
    assert "it has schema 1" in said
    assert said.endswith("exit 2")
    assert await home.run()
    assert home.results("orders") == {"first": "succeeded", "second": "succeeded"}
    home.assert_nothing_twice()


def without_a_column(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE batches DROP COLUMN trouble")


def without_an_index(database: sqlite3.Connection) -> None:
    database.execute("DROP INDEX batches_unresolved")


def with_a_table_more(database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE more (one TEXT)")


CHANGES = [without_a_column, without_an_index, with_a_table_more]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("age", ["of the version before", "of this version"])
async def test_a_database_with_other_tables_is_refused_in_a_sentence_by_every_command(
    home: House, change: Callable[[sqlite3.Connection], None], age: str
) -> None:
    if age == "of the version before":
        old_state(home)
    else:
        assert await home.run()
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        change(database)
        before = list(database.iterdump())
    for words in (("run", "--once"), ("status",), ("costs",), ("cancel", "orders"), ("doctor", "--offline")):
        said = await to_thread.run_sync(look, home, *words)
        assert "another build of batchd made it" in said, words
        assert said.endswith("exit 1" if words[0] == "doctor" else "exit 2"), words
        assert "defect" not in said
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        assert list(database.iterdump()) == before


@pytest.mark.parametrize(
    "words", [("cancel", "orders"), ("retry", "orders"), ("release", "orders"), ("resolve", "1", "--drop")]
)
async def test_no_command_but_run_brings_a_database_up_to_date(home: House, words: tuple[str, ...]) -> None:
    old_state(home)
    said = await to_thread.run_sync(look, home, *words)
    assert said.endswith("exit 2")
    assert "`batchd run` updates it" in said
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        assert database.execute("PRAGMA user_version").fetchall() == [(1,)]


async def test_a_command_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises((Unusable, Unavailable, ExceptionGroup)):
        async with write_to_store(tmp_path / DATABASE):
            pass
    assert not (tmp_path / DATABASE).exists()


def test_the_digest_is_that_of_what_a_database_has_and_not_of_how_it_is_written() -> None:
    digests = {schema.expected(version) for version, _ in schema.migrations()}
    assert len(digests) == len(schema.migrations())
    assert schema.objection(schema.newest(), schema.expected(schema.newest()), to_be_migrated=False) is None


async def test_a_table_that_vanishes_under_the_daemon_is_no_reason_to_wait(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path) as store:
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE troubles")
        with pytest.raises(Unusable, match="other tables"):
            await store.troubles.all()


async def test_a_database_that_cannot_be_opened_now_is_tried_again(tmp_path: Path) -> None:
    """As without inodes: systemd starts a 1 again, and never a 2."""
    with pytest.raises(Unavailable, match="unable to open"):
        async with SqliteDatabase.open(tmp_path / "missing" / DATABASE):
            pass

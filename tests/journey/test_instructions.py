"""Which instructions count for which folder, and when: real files, and a clock of the test's own."""

import os
from pathlib import Path, PurePosixPath

import pytest
from batchd.decisions.jobfile.rules import Rules
from batchd.edges import inbox
from batchd.journey.instructions import GONE, Instructions, NotYet, Ready, Standing, Wrong

HERE = PurePosixPath("q")


class World:
    """An inbox with one folder, looked at when the test says."""

    def __init__(self, place: Path) -> None:
        self.inbox, self.outbox = place / "inbox", place / "outbox"
        self.file = self.inbox / "q" / ".batchd.md"
        self.file.parent.mkdir(parents=True)
        self.outbox.mkdir()
        self.all = Instructions(self.inbox, self.outbox, Rules(), settle=1.0)

    def look(self, now: float) -> Standing:
        self.all.look(inbox.look(self.inbox).instructions, now)
        return self.all.of(HERE)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_folder_without_any_has_nothing_to_wait_for(world: World) -> None:
    assert world.look(0.0) == Ready("")
    assert world.all.due(0.0) is None


def test_they_count_once_they_have_stood_still(world: World) -> None:
    world.file.write_text("Say {{ a }}")
    assert world.look(0.0) == NotYet(1.0)
    assert world.all.due(0.0) == 1.0
    assert world.look(0.5) == NotYet(1.5)
    assert world.look(1.0) == Ready("Say {{ a }}")
    world.file.write_text("Say {{ a }} twice")
    assert isinstance(world.look(2.0), NotYet)
    assert world.look(3.0) == Ready("Say {{ a }} twice")
    assert world.all.of(HERE / "below" / "it") == Ready("Say {{ a }} twice")
    assert world.all.of(PurePosixPath("r")) == Ready("")


def test_nobody_follows_them_while_they_are_open_for_writing(world: World) -> None:
    with world.file.open("w") as file:
        file.write("Say")
        file.flush()
        world.look(0.0)
        assert isinstance(world.look(5.0), NotYet)
    assert world.look(10.0) == Ready("Say")


def test_what_vanishes_may_come_back_for_a_while(world: World) -> None:
    world.file.write_text("Say {{ a }}")
    world.look(0.0)
    world.look(1.0)
    world.file.unlink()
    assert world.look(2.0) == NotYet(1.0 + GONE)
    assert world.look(1.0 + GONE - 0.1) == NotYet(1.0 + GONE)
    assert world.look(1.0 + GONE) == Ready("")


def test_wrong_ones_are_told_in_the_outbox_until_they_are_right_or_gone(world: World) -> None:
    told = world.outbox / "rejected" / "q" / "instructions.errors.json"
    for right in (lambda: world.file.write_text("Say {{ a }}"), world.file.unlink):
        world.file.write_text("{{ x() }}")
        world.look(0.0)
        assert isinstance(world.look(1.0), Wrong)
        assert "a call is not allowed" in told.read_text()
        right()
        world.look(20.0)
        assert world.look(40.0) in (Ready("Say {{ a }}"), Ready(""))
        assert not told.exists()
        world.look(60.0)
        world.file.unlink(missing_ok=True)
        world.look(80.0)
        world.look(100.0)


def test_steps_are_for_bundles_which_one_sentence_says(world: World) -> None:
    world.file.write_text("---\nmodel: claude-haiku-4-5\nsteps: {outline: {prompt: outline.md}}\n---\n")
    world.look(0.0)
    found = world.look(1.0)
    assert isinstance(found, Wrong)
    [told] = found.problems
    assert (told.line, told.field) == (3, "steps")
    assert told.message == "is for bundles, and this file is for a folder; drop a folder NAME.job, or leave it out"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_only_the_folders_owner_root_and_the_daemon_instruct(world: World) -> None:
    world.file.write_text("Say {{ a }}")
    os.chown(world.file, 12345, -1)
    world.look(0.0)
    found = world.look(1.0)
    assert isinstance(found, Wrong)
    assert "user 12345" in found.problems[0].message
    os.chown(world.file.parent, 12345, -1)
    os.utime(world.file)
    world.look(2.0)
    assert world.look(3.0) == Ready("Say {{ a }}")


def test_a_link_and_a_book_instruct_nobody(world: World) -> None:
    elsewhere = world.outbox / "elsewhere"
    elsewhere.write_text("Say {{ a }}")
    world.file.symlink_to(elsewhere)
    world.look(0.0)
    assert isinstance(world.look(1.0), Wrong)
    world.file.unlink()
    world.file.write_bytes(b"x" * 1_000_001)
    world.look(2.0)
    assert isinstance(world.look(3.0), Wrong)

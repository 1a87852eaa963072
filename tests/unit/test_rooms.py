"""The map of the house against the house."""

from tests.support.rooms import HOUSE, built, drawn


def test_the_map_names_every_room_in_its_folder_and_no_other() -> None:
    assert drawn() == built()


def test_every_room_begins_with_a_sentence_about_itself() -> None:
    for path in HOUSE.rglob("*.py"):
        assert path.read_text("utf-8").startswith('"""'), path

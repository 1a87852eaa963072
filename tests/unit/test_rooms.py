"""The map of the house against the house."""

import re

from tests.support.rooms import HOUSE, MAP, built, drawn


def test_the_map_names_every_room_in_its_folder_and_no_other() -> None:
    assert drawn() == built()


def test_every_room_begins_with_a_sentence_about_itself() -> None:
    for path in HOUSE.rglob("*.py"):
        assert path.read_text("utf-8").startswith('"""'), path


def test_the_values_of_a_requests_journey_are_those_of_the_house() -> None:
    journey = MAP.read_text("utf-8").split("## The journey of one request's fields")[1].split("\n| field |")[0]
    values = re.findall(r"^\| `(\w+)` \|", journey, re.MULTILINE)
    sources = "".join(path.read_text("utf-8") for path in HOUSE.rglob("*.py"))
    assert values
    assert [value for value in values if f"\nclass {value}" not in sources] == []

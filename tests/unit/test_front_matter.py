"""A text file as one request: its settings are YAML that cannot bite, and its prompt is the text as it was written."""

import pytest
from batchd.decisions.jobfile.front_matter import LONGEST_FRONT_MATTER, read_prose
from batchd.text.jsonscan import Broken


def test_a_text_without_settings_is_its_prompt_without_the_blank_lines_around_it() -> None:
    found = read_prose("\n\n  Write.\n\nThen stop.\n\n")
    assert (found.settings, found.prompt, found.line, found.flaws) == ({}, "  Write.\n\nThen stop.", 1, ())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_settings_stand_before_the_prompt_and_the_line_of_the_prompt_is_known(end: str) -> None:
    text = end.join(["", "---", "model: m", "continue: 2", "---", "", "Write.", ""])
    found = read_prose(text)
    assert (found.settings, found.prompt, found.line) == ({"model": "m", "continue": 2}, "Write.", 7)


def test_empty_settings_are_none() -> None:
    assert read_prose("---\n---\nWrite.").settings == {}


@pytest.mark.parametrize(
    ("front", "line", "said"),
    [
        ("a: &x 1\nb: *x", 2, "anchors and aliases"),
        ("a: 1\nb: !!python/name:os.system x", 3, "tags"),
        ("a: 1\nb: 2\na: 3", 4, '"a" appears twice'),
        ("a:\n  b: 1\n  b: 2", 4, '"b" appears twice'),
        ("a: [" + "[" * 60 + "]" * 60 + "]", 2, "nested deeper than 50 levels"),
        ("a: 1\nb: [", 4, "not YAML"),
        ("a: 2026-13-45", 1, "does not exist; put it in quotes"),
        ("only words", 1, "no settings such as"),
        ("a: " + "x" * LONGEST_FRONT_MATTER, 1, "is the second --- missing"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_line(front: str, line: int, said: str) -> None:
    with pytest.raises(Broken, match=said) as broken:
        read_prose(f"---\n{front}\n---\nWrite.")
    assert broken.value.line == line


@pytest.mark.parametrize(
    ("text", "line", "said"), [("\n---\nmodel: m\n", 2, "never end"), ("\n+++\nmodel = 1\n+++\nWrite.", 2, "TOML")]
)
def test_settings_that_never_end_or_are_in_another_language_are_told(text: str, line: int, said: str) -> None:
    with pytest.raises(Broken, match=said) as broken:
        read_prose(text)
    assert broken.value.line == line


@pytest.mark.parametrize(
    ("front", "field", "said"),
    [
        ("a:\n  - 2026-11-24", "a[0]", "takes this for a date"),
        ("a: {1: x}", "a", 'the key "1" is not a text'),
        (f"a: {2**65}", "a", "over 64 bits"),
    ],
)
def test_what_yaml_can_say_and_json_cannot_is_a_flaw_of_its_field(front: str, field: str, said: str) -> None:
    (flaw,) = read_prose(f"---\n{front}\n---\nWrite.").flaws
    assert flaw.field == field
    assert said in flaw.message

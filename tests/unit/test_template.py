"""The prompt of a row: what a template may say, what it comes to, and what is told of one that is wrong."""

import pytest
from batchd.decisions.rows.template import MOST_PLACES, parse_template
from batchd.text.jsonscan import Broken
from hypothesis import given
from hypothesis import strategies as st

TAKEN = [
    "{{ x }}",
    "{{ x|trim|upper }}",
    "{% if x %}a{{ x }}{% else %}b{% endif %}",
    '{{ row["Ticket ID"] }}',
    '{{ x["a"] }}',
    '{{ x|default("q") }}',
    "{{ x is defined }}",
    '{{ "a" if x else y }}',
    "{{ x|tojson }}",
    "{{ x|length }}",
    "{{ x|truncate(20) }}",
    '{% if x == "a" and not y or z in "abc" %}1{% endif %}',
    "{% raw %}{{ x }}{% endraw %}",
    "{# a remark #}",
]
REFUSED = [
    ('{{ "x" * 10**8 }}', "*"),
    ("{{ 2**9 }}", "**"),
    ("{{ x ~ y }}", "~"),
    ("{{ x + y }}", "+"),
    ("{% for i in x %}{% endfor %}", "for"),
    ("{% set a = 1 %}", "set"),
    ("{% macro m() %}{% endmacro %}", "macro"),
    ('{% include "a" %}', "include"),
    ('{% import "a" as b %}', "import"),
    ("{{ x() }}", "a call"),
    ("{{ x.__class__ }}", "a dot"),
    ("{{ x|center(10000000) }}", "center"),
    ("{{ x is mapping }}", "mapping"),
    ("{{ x[1:2] }}", "a slice"),
    ("{{ [x] }}", "List"),
    ("{{ none }}", 'row["none"]'),
    ("{{ none|upper }}", 'row["none"]'),
    ("{{ self }}", 'row["self"]'),
    ('{{ "a" }}', "constant"),
    ("{{ row[x] }}", 'row["Ticket ID"]'),
    ("{{ Ticket ID }}", 'row["Ticket ID"]'),
    ("{{ x", "not closed"),
    ("{% if x %}", "not closed"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_stays_linear_is_taken(text: str) -> None:
    parse_template(text)


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_everything_else_is_refused_at_its_line(text: str, said: str) -> None:
    with pytest.raises(Broken) as refused:
        parse_template("Classify this.\n" + text, first_line=5)
    assert said in refused.value.message
    assert refused.value.line == 6


@pytest.mark.parametrize(
    "text",
    [
        "{{ x }}" * 100_000,
        "{% if x %}" * 300 + "{% endif %}" * 300,
        "{{ " + "(" * 300 + "x" + ")" * 300 + " }}",
        "{{ " + "not " * 5_000 + "x }}",
        "{{ x" + "|trim" * 5_000 + " }}",
    ],
    ids=["places", "ifs", "brackets", "nots", "filters"],
)
def test_a_template_that_is_dear_to_compile_is_refused(text: str) -> None:
    with pytest.raises(Broken):
        parse_template(text)


def test_as_many_places_as_are_allowed_are_taken() -> None:
    assert parse_template("{{ x }}" * MOST_PLACES).render({"x": "a"}) == "a" * MOST_PLACES


def test_values_are_inserted_as_text_and_never_parsed() -> None:
    template = parse_template("{{ a }}|{{ n }}|{{ o }}|{{ row['a b'] }}|{{ b }}\n")
    row = {"a": "{{ 7*7 }}{% if %}", "n": None, "o": {"k": [1, "<é"]}, "a b": "</ticket>\x01", "b": True}
    assert template.render(row) == '{{ 7*7 }}{% if %}||{"k":[1,"<é"]}|</ticket>\x01|true\n'


def test_columns_may_be_called_as_pythons_words_are() -> None:
    template = parse_template('{{ row["self"] }}{{ row["none"] }}{{ args }}')
    assert template.render({"self": "1", "none": "2", "args": "3"}) == "123"


def test_a_value_that_a_row_lacks_is_named_with_the_nearest_one() -> None:
    template = parse_template("{{ subject }}")
    with pytest.raises(ValueError, match=r"no 'subject'.*did you mean 'subjekt'"):
        template.render({"subjekt": "a"})


def test_a_value_of_another_kind_is_no_traceback() -> None:
    with pytest.raises(ValueError, match="other kinds"):
        parse_template("{% if a < b %}x{% endif %}").render({"a": 1, "b": "x"})


def test_columns_that_do_not_exist_are_told_before_any_row_is_read() -> None:
    template = parse_template("{{ subjet }} {{ row['Ticket'] }} {{ text }} {{ file }}")
    flaws = list(template.unknown(["subject", "text", "Ticket ID"]))
    assert [flaw.field for flaw in flaws] == ["Ticket", "subjet"]
    assert "did you mean 'Ticket ID'" in flaws[0].message
    assert "did you mean 'subject'" in flaws[1].message


@given(st.text(), st.text())
def test_any_text_around_and_within_a_place_arrives_as_it_is(before: str, value: str) -> None:
    literal = before.replace("{", "(").replace("\r\n", "\n").replace("\r", "\n")
    assert parse_template(literal + "{{ x }}").render({"x": value}) == literal + value

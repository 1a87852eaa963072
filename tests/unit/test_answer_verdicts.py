"""What a round brought decides what the document is called: nothing added, told anew, no word, calls and structure."""

import json
from typing import Any

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.result_line import read
from batchd.claude.verdict import Result
from batchd.decisions.document.draft import NOTHING, Draft
from batchd.decisions.document.expectation import stored
from batchd.decisions.document.next_step import Continue, Final, next_step
from batchd.decisions.document.round import Round
from batchd.delivery import Trip
from batchd.model import JobId, RequestId, Usage, Verdict, Wishes
from msgspec import Raw

MODEL = "claude-sonnet-4-6"
HALF = "# The ferries\n\n" + "".join(f"Ferry {number} leaves at {number * 7} o'clock.\n" for number in range(60))
CUT = "The ferries leave at dawn and ret"
ANEW = (
    HALF.replace("3 leaves", "3 goes").replace("59 leaves", "59 goes")
    + "They leave at dawn, and return at dusk, each to its own pier.\n"
)


def step(
    text: str,
    stop_reason: str = "end_turn",
    draft: Draft = NOTHING,
    expect: dict[str, Any] | None = None,
    first: dict[str, Any] | None = None,
    **changes: Any,
) -> Final | Continue:
    travelling: dict[str, Any] = {"rounds": 2, "allowance": 16_000, "round": 1 if draft.paid else 0}
    travelling |= {name: changes.pop(name) for name in ("rounds",) if name in changes}
    trip = Trip(
        row=0,
        request=RequestId(7),
        job=JobId(1),
        job_name="job",
        custom_id="a",
        name="a",
        model=MODEL,
        attempts_left=2,
        cancelled=False,
        delivered=False,
        max_tokens=8_000,
        wishes=Wishes(documents=changes.pop("documents", True)),
        **travelling,
    )
    expected = stored(Raw() if expect is None else Raw(json.dumps(expect).encode()))
    before = Round(trip, Catalogue().find(MODEL), draft, expected, json.dumps(first or {"messages": []}).encode())
    usage = Usage(input_tokens=900, output_tokens=2_000)
    found = next_step(before, Result("succeeded", stop_reason, text=text, usage=usage, **changes))
    assert isinstance(found, (Final, Continue))
    return found


def final(*args: Any, **changes: Any) -> Final:
    found = step(*args, **changes)
    assert isinstance(found, Final), found
    return found


def draft(**changes: Any) -> Draft:
    usual: dict[str, Any] = {"kept": HALF, "dropped": CUT, "ended": False, "prompt_tokens": 900}
    return Draft(**{**usual, **changes})


# A round behind a cut


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "  \n\n",
        "\u200b",
        "\u200b\ufeff \u2060\n",
        CUT,
        CUT[:9],
        CUT + "\n",
        HALF[-200:],
        HALF[-200:] + CUT,
        "Here is the rest of the document:\n\n",
    ],
)
def test_a_document_whose_last_round_added_nothing_after_a_cut_is_never_complete(text: str) -> None:
    found = final(text, draft=draft())
    assert found.verdict is Verdict.TRUNCATED
    assert "added nothing" in found.reason
    assert found.contents.files[0][1].startswith(HALF + CUT)


def test_one_that_was_told_anew_and_ended_by_itself_is_the_document() -> None:
    found = final(ANEW, draft=draft())
    assert (found.verdict, found.reason) == (Verdict.COMPLETE, "")
    assert found.contents.files == (("documents/a.md", ANEW),)


def test_one_that_was_told_anew_and_is_shorter_leaves_the_longer_one_and_says_so() -> None:
    found = final(ANEW[:900], draft=draft())
    assert found.verdict is Verdict.TRUNCATED
    assert "told it anew without coming further" in found.reason
    assert found.contents.files == (("documents/a.md", HALF + CUT),)


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens"])
def test_where_nobody_can_tell_whether_it_was_told_anew_both_stand_and_it_is_said(stop_reason: str) -> None:
    other = "# The ferries\n\nAt dawn they go, and at dusk they come, all of them, day by day.\n"
    found = final(other, stop_reason, draft=draft())
    assert found.verdict is Verdict.TRUNCATED
    assert "both stand in it" in found.reason
    assert found.contents.files == (("documents/a.md", f"{HALF}{CUT}\n\n{other}"),)


def test_what_went_on_is_complete() -> None:
    found = final(CUT + "urn at dusk.\n", draft=draft())
    assert (found.verdict, found.contents.files[0][1]) == (Verdict.COMPLETE, HALF + CUT + "urn at dusk.\n")
    assert final("The ferries sleep.\n", draft=draft()).verdict is Verdict.COMPLETE


def test_what_was_sent_again_from_its_beginning_keeps_what_was_paid_before_until_something_better_comes() -> None:
    sent_again = Draft("", "", ended=False, prompt_tokens=0, earlier='{"a": [1, 2')
    found = final("", draft=sent_again, silent=True)
    assert (found.verdict, found.contents.files) == (Verdict.TRUNCATED, (("documents/a.md", '{"a": [1, 2'),))
    assert "added nothing" in found.reason
    found = final('{"a": [1, 2]}', draft=sent_again)
    assert (found.verdict, found.contents.files) == (Verdict.COMPLETE, (("documents/a.md", '{"a": [1, 2]}'),))
    found = final("", "tool_use", draft=sent_again, first=TOOLS, calls=calls(PERSON).calls)
    assert (found.verdict, found.contents.document) == (Verdict.COMPLETE, "documents/a.json")


# No word at all


def test_an_answer_without_a_word_is_not_complete_and_buys_no_round() -> None:
    found = final("", silent=True)
    assert (found.verdict, found.contents.files) == (Verdict.SHORT, ())
    assert found.reason.startswith("the model ended its answer without a word")
    assert final("", silent=True, rounds=0).reason == "the model ended its answer without a word"


@pytest.mark.parametrize(
    ("content", "silent"),
    [
        ([], True),
        ([{"type": "text", "text": " \n"}], True),
        ([{"type": "text", "text": "\u200b\ufeff"}, {"type": "text", "text": "\u3164\u2800\u00ad\ufe0f"}], True),
        ([{"type": "text", "text": "\u200b."}], False),
        ([{"type": "thinking", "thinking": "Hm."}, {"type": "redacted_thinking", "data": "x"}], True),
        ([{"type": "text", "text": "x"}], False),
        ([{"type": "tool_use", "id": "t", "name": "n", "input": {}}], False),
        ([{"type": "server_tool_use", "id": "t", "name": "n", "input": {}}], False),
    ],
)
def test_says_which_answers_hold_nothing(content: list[object], silent: bool) -> None:  # noqa: FBT001
    message = {"content": content, "stop_reason": "end_turn"}
    line = read(json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": message}}).encode())
    assert line.result.silent is silent


# Calls and structure


def calls(*content: dict[str, Any]) -> Result:
    message = {"content": content, "stop_reason": "tool_use"}
    return read(json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": message}}).encode()).result


PERSON = {"type": "tool_use", "id": "t", "name": "person", "input": {"name": "Zoë", "age": 7}}
OTHER = {**PERSON, "input": {"name": "Bo"}}
FORM = {"json": {"type": "object", "required": ["age"]}}
TOOLS = {"tools": [{"name": "person"}]}


def test_a_call_alone_meets_what_is_expected_of_json_and_its_input_is_the_document() -> None:
    for expect in (None, {"json": True}, FORM):
        found = final("", "tool_use", expect=expect, first=TOOLS, calls=calls(PERSON).calls)
        assert (found.verdict, found.contents.document) == (Verdict.COMPLETE, "documents/a.json")
        ((name, text),) = found.contents.files
        assert (name, json.loads(text)) == ("documents/a.json", PERSON["input"])


def test_several_calls_are_a_list_and_each_must_meet_what_is_expected() -> None:
    both = calls(PERSON, OTHER).calls
    found = final("", "tool_use", expect={"json": True}, first=TOOLS, calls=both)
    assert found.verdict is Verdict.COMPLETE
    assert json.loads(found.contents.files[0][1]) == [
        {"name": "person", "input": PERSON["input"]},
        {"name": "person", "input": OTHER["input"]},
    ]
    found = final("", "tool_use", expect=FORM, first=TOOLS, calls=both)
    assert found.verdict is Verdict.SHORT
    assert 'in the call of "person": expected JSON of the form asked for, but age is missing' in found.reason


def test_text_beside_a_call_is_kept_and_the_call_is_what_was_expected() -> None:
    found = final("I note it.", "tool_use", expect=FORM, first=TOOLS, calls=calls(PERSON).calls)
    assert (found.verdict, found.contents.document) == (Verdict.COMPLETE, "documents/a.json")
    assert [name for name, _ in found.contents.files] == ["documents/a.md", "documents/a.json"]
    assert final("I note it.", "tool_use", calls=calls(PERSON).calls).contents.document == "documents/a.md"


def test_half_a_call_is_not_written() -> None:
    found = final("", "max_tokens", rounds=0, first=TOOLS, calls=calls(PERSON).calls)
    assert (found.verdict, found.contents.files) == (Verdict.TRUNCATED, ())


def test_structured_output_is_written_as_json_where_it_is_whole() -> None:
    asked = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}
    for first in (asked, {"output_format": asked["output_config"]["format"]}):
        assert final('{"a": 1}\n', first=first).contents.files == (("documents/a.json", '{"a": 1}\n'),)
    assert final('{"a": 1}').contents.document == "documents/a.md"
    assert final('{"a": 1', "max_tokens", first=asked, rounds=0).contents.document == "documents/a.md"
    assert final('{"a": 1} and so on', first=asked).contents.document == "documents/a.md"
    assert final('{"a": 1}', first=asked, documents=False).contents.files == ()


def test_inputs_are_read_whatever_is_wrong_with_a_line() -> None:
    raw = b'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"input_tokens":"x"},"content":[%b]}}}'
    (call,) = read(raw % json.dumps(PERSON).encode()).result.calls
    assert (call.name, json.loads(call.input)) == ("person", PERSON["input"])
    (call,) = read(raw % b'{"type":"tool_use"}').result.calls
    assert (call.name, call.input) == ("", "null")

import json
from decimal import Decimal
from typing import Any

import pytest
from batchd.claude.price import Prices
from batchd.claude.turn import Wanted, larger_params, next_params
from batchd.decisions.document.next_round import Action, RoundFacts, decide, tokens_at_most

FIRST: Any = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 1_000,
    "system": [{"type": "text", "text": "Ünïcode"}],
    "messages": [{"role": "user", "content": "Write a manual."}],
    "metadata": {"user_id": "u"},
}
SONNET = Prices(Decimal("0.0000015"), Decimal("0.0000075"))


def following(kept: str = "Once upon\n", first: Any = FIRST, **asked: Any) -> dict[str, Any]:
    raw = next_params(first, kept, **{"max_tokens": 9_000, **asked})
    assert b"\n" not in raw
    found: dict[str, Any] = json.loads(raw)
    return found


def breakpoints(params: dict[str, Any]) -> int:
    return json.dumps(params).count('"cache_control": {')


def request(**changes: Any) -> dict[str, Any]:
    return {**FIRST, **changes}


# The next request


def test_puts_the_text_so_far_and_a_turn_behind_the_conversation() -> None:
    params = following()
    first, answer, ask = params["messages"]
    assert first == FIRST["messages"][0]
    assert answer == {"role": "assistant", "content": [{"type": "text", "text": "Once upon\n"}]}
    assert ask["role"] == "user"
    assert "very next line" in ask["content"]
    assert params["max_tokens"] == 9_000
    assert {**params, "messages": None, "max_tokens": None} == {**FIRST, "messages": None, "max_tokens": None}
    assert list(params) == list(FIRST)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("whole line\n", "next line"),
        ("a word ", "next word"),
        ("a wor", "next character"),
        ("```python\nx = 1\n", "inside a code block"),
    ],
)
def test_says_where_the_text_stops(kept: str, said: str) -> None:
    assert said in following(kept)["messages"][-1]["content"]


def test_asks_for_the_missing_sections_by_name() -> None:
    wanted = Wanted("expected 3 sections, found 1; missing: B, and 1 more", ["B", "C — D"], "== {title} ==")
    ask = following("x", wanted=wanted)["messages"][-1]["content"]
    assert "\n\n== B ==\n== C — D ==\n\n" in ask
    assert "found 1; missing: B" in ask


def test_asks_for_more_where_the_text_is_short() -> None:
    ask = following("x", wanted=Wanted("expected at least 9 words, found 1"))["messages"][-1]["content"]
    assert "not yet what was asked for: expected at least 9 words, found 1." in ask


def test_goes_on_with_an_answer_that_the_user_had_begun() -> None:
    begun = request(messages=[*FIRST["messages"], {"role": "assistant", "content": "Chapter 1:"}])
    assert following("text", begun)["messages"][1]["content"] == [
        {"type": "text", "text": "Chapter 1:"},
        {"type": "text", "text": "text"},
    ]
    blocks = [{"type": "thinking", "thinking": "…", "signature": "s"}, {"type": "text", "text": "Chapter 1:"}]
    begun = request(messages=[*FIRST["messages"], {"role": "assistant", "content": blocks}])
    assert [block["text"] for block in following("text", begun)["messages"][1]["content"]] == ["Chapter 1:", "text"]
    nothings: list[Any] = ["", []]
    for nothing in nothings:
        begun = request(messages=[*FIRST["messages"], {"role": "assistant", "content": nothing}])
        assert [block["text"] for block in following("text", begun)["messages"][1]["content"]] == ["text"]


def test_caches_what_it_sends_for_an_hour() -> None:
    params = following(cached=())
    assert params["messages"][1]["content"][-1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert breakpoints(following()) == 0


def test_cuts_the_text_where_earlier_rounds_ended_so_that_their_cache_serves() -> None:
    content = following("one\ntwo\nthree\n", cached=(4, 8))["messages"][1]["content"]
    assert [block["text"] for block in content] == ["one\n", "two\n", "three\n"]
    assert [("cache_control" in block) for block in content] == [False, True, True]
    content = following("one\n  \n  ", cached=(0, 4, 6, 8, 99))["messages"][1]["content"]
    assert [block["text"] for block in content] == ["one\n  \n  "]


@pytest.mark.parametrize(
    ("controls", "ours"),
    [([], 1), ([{"ttl": "1h"}] * 3, 1), ([{"ttl": "1h"}] * 4, 0), ([{}], 0), ([{"ttl": "5m"}], 0)],
)
def test_four_breakpoints_are_the_most_and_none_of_an_hour_follows_a_shorter(
    controls: list[dict[str, str]], ours: int
) -> None:
    system = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", **each}} for each in controls]
    assert breakpoints(following(first=request(system=system), cached=())) == len(controls) + ours


def test_breakpoints_are_counted_wherever_they_stand() -> None:
    hour = {"type": "ephemeral", "ttl": "1h"}
    inner = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "x", "cache_control": hour}],
    }
    first = request(
        tools=[{"name": "t", "cache_control": hour}],
        messages=[{"role": "user", "content": [inner, {"type": "text", "text": "x", "cache_control": hour}]}],
        cache_control={"type": "ephemeral"},
    )
    assert breakpoints(following(first=first, cached=())) == 4
    del first["cache_control"]
    assert breakpoints(following(first=first, cached=())) == 4


def test_a_budget_of_thinking_stays_below_a_lower_max_tokens() -> None:
    first = request(max_tokens=64_000, thinking={"type": "enabled", "budget_tokens": 32_000})
    assert following(first=first, max_tokens=40_000)["thinking"]["budget_tokens"] == 32_000
    assert following(first=first, max_tokens=20_000)["thinking"]["budget_tokens"] == 10_000


def test_sends_again_with_more_room_and_nothing_else_changed() -> None:
    assert json.loads(larger_params(FIRST, 5_000)) == {**FIRST, "max_tokens": 5_000}


# Which is the better buy


def unfinished(**changes: Any) -> RoundFacts:
    usual: dict[str, Any] = {
        "cut": True,
        "prompt_tokens": 2_000,
        "text_tokens": 60_000,
        "max_tokens": 64_000,
        "most_tokens": 300_000,
        "window": 1_000_000,
        "rounds_left": 3,
    }
    return RoundFacts(**{**usual, **changes})


def test_continuing_is_the_better_buy_with_all_the_room_there_is() -> None:
    decision = decide(unfinished(), SONNET)
    assert decision.action is Action.CONTINUE
    assert decision.max_tokens == 300_000
    assert decision.reason == "it was cut off; continuing reads 62,250 tokens instead of writing 60,000 again"


def test_what_ended_by_itself_needs_no_more_room() -> None:
    decision = decide(unfinished(cut=False), SONNET)
    assert (decision.action, decision.max_tokens) == (Action.CONTINUE, 64_000)
    assert decision.reason.startswith("it is shorter than expected")


def test_a_few_words_are_written_sooner_than_read() -> None:
    few = unfinished(text_tokens=40, max_tokens=50)
    assert decide(few, SONNET).action is Action.RESEND
    assert decide(few, None).action is Action.CONTINUE
    assert decide(unfinished(text_tokens=70), SONNET).action is Action.CONTINUE
    assert decide(unfinished(text_tokens=40, max_tokens=50, most_tokens=50), SONNET).action is Action.CONTINUE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"text_tokens": 0, "thinking": "thinking took it all"},
            "thinking took it all; sent again with max_tokens 300,000",
        ),
        ({"text_tokens": 0}, "there is no text to continue; sent again"),
        ({"structured": True}, "structured output and tools cannot be continued"),
    ],
)
def test_what_cannot_be_continued_is_sent_again_with_more_room(changes: dict[str, Any], said: str) -> None:
    decision = decide(unfinished(**changes), SONNET)
    assert (decision.action, decision.max_tokens) == (Action.RESEND, 300_000)
    assert said in decision.reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds_left": 0}, "no rounds are left"),
        ({"grew": False}, "added nothing"),
        ({"text_tokens": 0, "most_tokens": 64_000}, "max_tokens cannot be raised above 64,000"),
        ({"structured": True, "cut": False}, "ended by itself"),
        ({"text_tokens": 997_500}, "of the 1,000,000 tokens of the context window"),
        ({"most_tokens": 100}, "only 100 more tokens of output are allowed"),
        ({"text_tokens": 0, "prompt_tokens": 950_000}, "cannot be raised"),
    ],
)
def test_what_leads_nowhere_is_let_be(changes: dict[str, Any], said: str) -> None:
    decision = decide(unfinished(**changes), SONNET)
    assert (decision.action, decision.max_tokens) == (Action.STOP, 0)
    assert said in decision.reason


def test_never_asks_for_more_than_the_window_holds() -> None:
    assert decide(unfinished(text_tokens=900_000), SONNET).max_tokens == 97_750


def test_a_low_max_tokens_of_the_users_own_is_no_reason_to_stop() -> None:
    decision = decide(unfinished(max_tokens=300, most_tokens=300, text_tokens=290), SONNET)
    assert (decision.action, decision.max_tokens) == (Action.CONTINUE, 300)


@pytest.mark.parametrize(
    ("changes", "cache"),
    [
        ({}, False),
        ({"expected_tokens": 200_000}, False),
        ({"expected_tokens": 240_000, "cut": False}, True),
        ({"expected_tokens": 240_000, "cut": False, "rounds_left": 2}, False),
        ({"cached": True}, True),
    ],
)
def test_caches_from_the_third_round_to_come(changes: dict[str, Any], cache: bool) -> None:  # noqa: FBT001
    assert decide(unfinished(**changes), SONNET).cache is cache


def test_bounds_tokens_by_bytes() -> None:
    assert [tokens_at_most(size) for size in (0, 1, 8, 4_000)] == [0, 1, 3, 1_500]

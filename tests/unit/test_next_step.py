"""What becomes of a document at the end of a round, and what the next one may write and cost."""

import json
from typing import Any

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.price import price, to_picodollars
from batchd.claude.verdict import Result
from batchd.decisions.document.draft import NOTHING, Draft
from batchd.decisions.document.expectation import NOTHING as NOTHING_EXPECTED
from batchd.decisions.document.expectation import Expectation, stored
from batchd.decisions.document.next_step import Again, Continue, Final, next_step
from batchd.decisions.document.remaining import still_to_cost
from batchd.decisions.document.round import Round
from batchd.decisions.money.worst_case import Prompt, worst_case
from batchd.delivery import Trip
from batchd.model import BETA_300K, JobId, Lane, RequestId, Usage, Verdict, Wishes
from msgspec import Raw
from msgspec.structs import replace

MODEL = "claude-sonnet-4-6"
FIRST: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 8_000,
    "messages": [{"role": "user", "content": "Write a manual of the machine."}],
}
TEXT = "".join(f"Paragraph {number} tells of part {number * 7} of the machine.\n" for number in range(200))
MORE = TEXT.replace("Paragraph", "Passage")
DOLLAR = 10**12


def trip(**changes: Any) -> Trip:
    usual: dict[str, Any] = {
        "row": 0,
        "request": RequestId(7),
        "job": JobId(1),
        "job_name": "job",
        "custom_id": "manual",
        "name": "manual",
        "model": MODEL,
        "wishes": Wishes(**{name: changes.pop(name) for name in ("documents", "files", "lane") if name in changes}),
        "attempts_left": 2,
        "cancelled": False,
        "delivered": False,
        "max_tokens": 8_000,
        "rounds": 3,
        "allowance": 24_000,
        "worst": DOLLAR,
    }
    return Trip(**{**usual, **changes})


def a_round(
    draft: Draft = NOTHING, expected: Expectation = NOTHING_EXPECTED, first: dict[str, Any] = FIRST, **changes: Any
) -> Round:
    travelling = trip(**changes)
    facts = Catalogue().find(travelling.model)
    return Round(travelling, facts, draft, expected, json.dumps(first).encode())


def a_draft(**changes: Any) -> Draft:
    usual: dict[str, Any] = {"kept": TEXT, "dropped": "Para", "ended": False, "prompt_tokens": 2_000}
    return Draft(**{**usual, **changes})


def a_result(text: str = TEXT, stop_reason: str | None = "max_tokens", **changes: Any) -> Result:
    usage = Usage(input_tokens=changes.pop("read", 2_000), output_tokens=changes.pop("wrote", 8_000))
    usual: dict[str, Any] = {"type": "succeeded", "stop_reason": stop_reason, "text": text, "usage": usage}
    return Result(**{**usual, **changes})


def final(step: Final | Again | Continue) -> Final:
    assert isinstance(step, Final), step
    return step


def continued(step: Final | Again | Continue) -> Continue:
    assert isinstance(step, Continue), step
    return step


# Its verdict


def test_what_its_model_ended_is_complete_and_written() -> None:
    step = final(next_step(a_round(), a_result(stop_reason="end_turn")))
    assert (step.verdict, step.reason) == (Verdict.COMPLETE, "")
    assert step.contents.files == (("documents/manual.md", TEXT),)
    assert step.contents.document == "documents/manual.md"


def test_what_no_result_tells_of_keeps_what_was_written_before() -> None:
    step = final(next_step(a_round(a_draft(), round=1), None))
    assert (step.verdict, step.contents.files[0][1]) == (Verdict.ERRORED, TEXT + "Para")


@pytest.mark.parametrize("kind", ["errored", "expired", "canceled"])
def test_what_may_pass_is_sent_again_and_in_the_end_what_was_written_is_delivered(kind: str) -> None:
    result = Result(kind, error_type="overloaded_error")
    assert isinstance(next_step(a_round(a_draft(), round=1), result), Again)
    step = final(next_step(a_round(a_draft(), round=1, attempts_left=0), result))
    assert step.contents.files[0][1] == TEXT + "Para"


def test_no_document_is_made_of_nothing_or_where_none_is_wanted() -> None:
    assert final(next_step(a_round(), a_result("", "end_turn"))).contents.files == ()
    assert final(next_step(a_round(documents=False), a_result("x", "end_turn"))).contents.document is None


def test_sections_stand_before_the_whole_and_files_behind_it() -> None:
    text = "[SECTION: A]\none\n[SECTION: B]\n[FILE: a.txt]\nx\n[END OF FILES]\n"
    contents = final(next_step(a_round(files=True), a_result(text, "end_turn"))).contents
    assert [name for name, _ in contents.files] == [
        "documents/manual/01-a.md",
        "documents/manual/02-b.md",
        "documents/manual.md",
        "documents/manual/files/a.txt",
    ]
    assert contents.sections == (("A", "documents/manual/01-a.md"), ("B", "documents/manual/02-b.md"))
    assert contents.filed is not None
    assert contents.filed.written == ("documents/manual/files/a.txt",)


def test_what_was_expected_decides_of_the_whole_document() -> None:
    expected = Expectation(words=1_000_000)
    step = final(next_step(a_round(expected=expected, rounds=0), a_result(stop_reason="end_turn")))
    assert step.verdict is Verdict.SHORT
    assert step.reason == "expected at least 1,000,000 words, found 1,800"
    longer = continued(next_step(a_round(expected=expected), a_result(stop_reason="end_turn")))
    assert (longer.draft.kept, longer.draft.dropped, longer.draft.ended) == (TEXT, "", True)
    assert "not yet what was asked for" in longer.params.decode()


def test_tokens_are_counted_over_all_rounds_and_without_the_thinking() -> None:
    expected = Expectation(tokens=10_000)
    whole = a_result("The end.", "end_turn", wrote=3_000, thinking_tokens=900)
    assert final(next_step(a_round(a_draft(), expected, round=1, written=8_000), whole)).verdict is Verdict.COMPLETE
    short = next_step(a_round(a_draft(), expected, round=1, written=7_800, rounds=0), whole)
    assert "found 9,900" in final(short).reason


def test_an_expectation_that_cannot_be_read_is_never_met_and_buys_no_round() -> None:
    for setting in ("[]", "{", '{"wrods": 3}', '{"words": "3"}', '{"words": 1, "words": 2}'):
        step = final(next_step(a_round(expected=stored(Raw(setting.encode()))), a_result(stop_reason="end_turn")))
        assert step.verdict is Verdict.SHORT
        assert "what was expected of it cannot be read" in step.reason


# The next round


def test_a_cut_document_goes_on_where_it_stopped() -> None:
    step = continued(next_step(a_round(), a_result(TEXT + "Para")))
    assert (step.draft.kept, step.draft.dropped, step.draft.prompt_tokens) == (TEXT, "Para", 2_000)
    assert json.loads(step.params)["messages"][1]["content"] == [{"type": "text", "text": TEXT}]
    assert (step.rounds, step.allowance, step.max_tokens) == (2, 24_000, 24_000)


def test_what_was_written_since_is_joined() -> None:
    step = final(next_step(a_round(a_draft(), round=1), a_result("Paragraph 200 is the last.\n", "end_turn")))
    assert step.contents.files[0][1] == TEXT + "Paragraph 200 is the last.\n"


def test_what_a_round_wrote_is_taken_off_what_may_still_be_written() -> None:
    step = continued(next_step(a_round(a_draft(), round=1, rounds=2), a_result(MORE, wrote=5_000)))
    assert step.allowance == 19_000


def test_a_round_never_asks_for_more_than_is_left() -> None:
    step = continued(next_step(a_round(a_draft(), round=1, allowance=9_500), a_result(MORE, wrote=5_000)))
    assert step.max_tokens == 4_500


def test_the_reservation_is_lowered_by_what_was_spent() -> None:
    result = a_result()
    spent = to_picodollars(price(result.usage, MODEL).charged)
    assert spent
    step = continued(next_step(a_round(worst=spent + 17), result))
    assert step.worst == 17


def test_the_reservation_covers_all_rounds_that_may_follow() -> None:
    step = continued(next_step(a_round(worst=None), a_result()))
    assert step.worst == worst_case(Prompt.bounded(step.params, Catalogue().find(MODEL)), MODEL, 24_000, 2, 0)
    few = a_round(worst=None, model="claude-haiku-4-5", allowance=192_000, max_tokens=64_000)
    step = continued(next_step(few, a_result()))
    assert step.max_tokens == 64_000
    assert step.worst == worst_case(
        Prompt.bounded(step.params, Catalogue().find("claude-haiku-4-5")), "claude-haiku-4-5", 64_000, 2, 128_000
    )


def test_an_answer_without_a_price_raises_no_reservation_and_frees_none() -> None:
    unpriced = a_result(model="a-gateways-own-model")
    facts = Catalogue().find("a-gateways-own-model")
    assert continued(next_step(a_round(worst=17), replace(a_result(), metered=False))).worst == 17
    assert still_to_cost(trip(model="a-gateways-own-model", worst=17), facts, unpriced, b"{}", 10) == 17
    assert still_to_cost(trip(model="a-gateways-own-model", worst=None), facts, unpriced, b"{}", 10) is None


def test_the_size_of_the_prompt_is_that_of_the_first_round() -> None:
    step = continued(next_step(a_round(a_draft(), round=1), a_result(MORE, read=90_000)))
    assert step.draft.prompt_tokens == 2_000


def test_a_document_that_does_not_grow_is_not_continued() -> None:
    step = final(next_step(a_round(a_draft(), round=1), a_result("")))
    assert (step.verdict, "added nothing" in step.reason) == (Verdict.TRUNCATED, True)


@pytest.mark.parametrize("more", [{"tools": []}, {"output_config": {"format": {"type": "json_schema"}}}])
def test_tools_and_structured_output_are_never_continued_in_the_middle(more: dict[str, Any]) -> None:
    step = continued(next_step(a_round(first={**FIRST, **more}), a_result()))
    assert step.draft == Draft("", "", ended=False, prompt_tokens=0, earlier=TEXT)
    assert json.loads(step.params) == {**FIRST, **more, "max_tokens": 24_000}


def test_a_round_beyond_the_models_own_cap_carries_its_beta() -> None:
    long = a_round(allowance=400_000, betas=("a-beta",))
    assert continued(next_step(long, a_result())).betas == ("a-beta", BETA_300K)
    sync = continued(next_step(a_round(allowance=400_000, lane=Lane.SYNC), a_result()))
    assert (sync.max_tokens, sync.betas) == (128_000, ())
    assert continued(next_step(a_round(), a_result())).betas == ()


def test_without_rounds_or_after_a_cancel_it_stays_as_it_is() -> None:
    assert final(next_step(a_round(rounds=0), a_result())).reason == "cut short: stop_reason max_tokens"
    used_up = final(next_step(a_round(a_draft(), round=2, rounds=0), a_result()))
    assert used_up.reason == "cut short: stop_reason max_tokens; no rounds are left"
    cancelled = final(next_step(a_round(cancelled=True), a_result()))
    assert (cancelled.verdict, cancelled.contents.files[0][1]) == (Verdict.TRUNCATED, TEXT)


def test_what_thinking_ate_is_sent_again_with_more_room() -> None:
    step = continued(next_step(a_round(), a_result("", thinking_tokens=8_000)))
    assert (step.draft, json.loads(step.params)) == (NOTHING, {**FIRST, "max_tokens": 24_000})
    assert step.reason.startswith("thinking took 8,000 of the 8,000 tokens")


def test_long_documents_leave_their_prefix_in_the_cache() -> None:
    expected = Expectation(tokens=500_000)
    many = a_round(expected=expected, rounds=20, allowance=160_000, model="claude-haiku-4-5")
    step = continued(next_step(many, a_result(TEXT + "Para")))
    assert step.draft.seams == (len(TEXT),)
    assert b'"ttl":"1h"' in step.params


BROKEN = Result("succeeded", text=MORE, usage=Usage(input_tokens=9_000, output_tokens=7_000), broken="it was killed")


@pytest.mark.parametrize("rounds", [0, 2])
def test_a_break_that_is_not_the_models_takes_neither_a_round_nor_tokens(rounds: int) -> None:
    step = next_step(a_round(a_draft(), round=2, rounds=rounds, allowance=9_000, lane=Lane.SYNC), BROKEN)
    assert isinstance(step, Continue)
    assert (step.rounds, step.allowance) == (rounds, 9_000)
    assert step.worst is not None
    assert step.worst < DOLLAR


def test_breaks_without_end_are_bounded_by_the_rounds() -> None:
    before: dict[str, Any] = {"round": 2, "allowance": 9_000, "lane": Lane.SYNC, "breaks": 10}
    step = next_step(a_round(a_draft(), rounds=2, **before), BROKEN)
    assert isinstance(step, Continue)
    assert (step.rounds, step.allowance) == (1, 2_000)
    step = next_step(a_round(a_draft(), rounds=0, **before), BROKEN)
    assert isinstance(step, Final)
    assert step.verdict is Verdict.TRUNCATED
    assert "it was killed" in step.reason


def test_what_may_not_be_continued_is_not_continued_behind_a_break() -> None:
    step = next_step(a_round(rounds=0, allowance=0, lane=Lane.SYNC), BROKEN)
    assert isinstance(step, Final)
    assert step.verdict is Verdict.TRUNCATED


def test_a_break_before_anything_new_came_keeps_all_there_was_and_asks_for_something_else() -> None:
    draft = a_draft(dropped="Paragraph 201 tells of")
    again = Result("succeeded", text="Para", usage=Usage(input_tokens=9_000, output_tokens=1), broken="it was killed")
    step = next_step(a_round(draft, round=1, lane=Lane.SYNC), again)
    assert isinstance(step, Continue)
    assert step.draft.text == draft.text
    assert step.draft.kept != draft.kept


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens", None])
def test_behind_what_could_not_be_read_nothing_goes_on(stop_reason: str | None) -> None:
    step = next_step(a_round(lane=Lane.SYNC), Result("succeeded", stop_reason, text=MORE, unreadable=2))
    assert isinstance(step, Final)
    assert step.verdict is Verdict.TRUNCATED
    if stop_reason:
        assert "2 parts of its stream could not be read" in step.reason

"""Whatever a model answers: what a document may still write and cost only falls, and is never exceeded."""

import json
from collections import Counter
from typing import Any

from batchd.claude import result_line
from batchd.claude.catalogue import Catalogue
from batchd.claude.price import price, to_picodollars
from batchd.claude.turn import Wanted, longest_ask, next_params
from batchd.claude.verdict import Result
from batchd.decisions.document.draft import NOTHING
from batchd.decisions.document.expectation import stored
from batchd.decisions.document.next_step import Continue, next_step
from batchd.decisions.document.round import Round
from batchd.decisions.money.worst_case import worst_of
from batchd.delivery import Trip
from batchd.model import Entry, JobId, Lane, RequestId, Usage, Wishes
from batchd.sandbox.answer import Prompt, compose
from batchd.sandbox.checks import Terms
from batchd.sandbox.examiner import Examiner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

MODELS = ("claude-sonnet-4-6", "claude-haiku-4-5", "claude-sonnet-5-5")
EXPECTATIONS = (None, '{"words":5000}', '{"sections":["Scope","Terms"]}', '{"tokens":90000}', '{"ends_with":"END"}')

texts = st.sampled_from(
    ["", "\n", "One line, cut in its mid", "word " * 300, "A line of it.\n" * 50, "[SECTION: Scope]\n"]
)
stops = st.sampled_from(["max_tokens", "max_tokens", "end_turn", "model_context_window_exceeded", None])
answers = st.tuples(texts, stops, st.floats(0, 1), st.floats(0, 1), st.sampled_from([None, "unknown-model"]))
titles = st.lists(st.text('aß語 "\\', min_size=3, max_size=60).map("T{}".format), min_size=1, max_size=9, unique=True)
lists = st.builds(
    lambda few, times, marker: json.dumps(
        {"sections": [f"{title} {n}" for n in range(times) for title in few], "marker": marker}, ensure_ascii=False
    ),
    titles,
    st.sampled_from([1, 40, 200]),
    st.sampled_from(["[SECTION: {title}]", "===== Part of the whole that is called: {title} ====="]),
)
starts = st.tuples(
    st.sampled_from(MODELS),
    st.sampled_from([300, 8_000, 64_000]),
    st.integers(0, 6),
    st.sampled_from(EXPECTATIONS) | lists,
    st.sampled_from(Lane),
)

TRIP = Trip(
    row=0,
    request=RequestId(1),
    job=JobId(1),
    job_name="b",
    custom_id="b",
    name="b",
    model="",
    wishes=Wishes(),
    attempts_left=1,
    cancelled=False,
    delivered=False,
    written=0,
    max_tokens=0,
    rounds=0,
    allowance=0,
    worst=None,
    round=0,
    betas=(),
)


@settings(deadline=None, max_examples=150)
@given(starts, st.lists(answers, min_size=8, max_size=8))
def test_what_may_still_be_written_and_cost_only_falls_and_is_never_exceeded(
    start: tuple[str, int, int, str | None, Lane], history: list[tuple[str, str | None, float, float, str | None]]
) -> None:
    model, max_tokens, rounds, expect, lane = start
    asked = {"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": "Write a book. " * 20}]}
    first = params = json.dumps(asked).encode()
    wishes = Wishes(lane=lane, expect=Raw((expect or "").encode()))
    entry = Entry(1, "b", "b", first, model, max_tokens, rounds=rounds, wishes=wishes)
    before: dict[str, Any] = {"max_tokens": max_tokens, "rounds": rounds, "allowance": rounds * max_tokens}
    before |= {"worst": worst_of(entry, Catalogue()), "round": 0, "betas": ()}
    draft, written = NOTHING, 0
    bounds: list[tuple[int, int]] = [(worst_of(entry, Catalogue()) or 0, 0)]
    spent = 0
    for text, stop, wrote, read, answered_by in history:
        kept = len(json.dumps(draft.kept, ensure_ascii=False).encode())
        prompt = len(params) - kept + min(kept, written)  # of the text so far no more is read than was written
        usage = Usage(input_tokens=int(prompt * read), output_tokens=int(before["max_tokens"] * wrote))
        charged = to_picodollars(price(usage, model, lane).charged)
        assert charged is not None
        spent += charged
        trip = replace(TRIP, model=model, wishes=wishes, written=written, **before)
        written += usage.output_tokens
        result = Result("succeeded", stop, usage=usage, text=text, model=answered_by)
        step = next_step(Round(trip, Catalogue().find(model), draft, stored(wishes.expect), first), result)
        if not isinstance(step, Continue):
            break
        assert step.rounds == before["rounds"] - 1 >= 0
        assert step.allowance <= before["allowance"]
        assert 0 < step.max_tokens <= step.allowance
        assert step.worst is not None
        assert step.worst <= before["worst"]
        bounds.append((step.worst, spent))
        before |= {name: getattr(step, name) for name in ("max_tokens", "rounds", "allowance", "worst", "betas")}
        before["round"] += 1
        draft, params = step.draft, step.params
    assert all(spent - spent_then <= bound for bound, spent_then in bounds)


@given(lists, st.text(max_size=3_000), st.booleans())
def test_no_turn_that_asks_to_go_on_is_longer_than_was_reckoned(expect: str, sentence: str, named: bool) -> None:  # noqa: FBT001
    asked = stored(Raw(expect.encode()))
    wanted = Wanted(sentence, asked.titles if named else (), asked.marker)
    turn = json.loads(
        next_params({"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}, "y", max_tokens=1, wanted=wanted)
    )
    assert len(turn["messages"][-1]["content"].encode()) <= longest_ask(Raw(expect.encode()))


def test_a_request_for_thousands_of_sections_costs_at_most_what_it_was_reckoned_at() -> None:
    """Its model writes a word and ends, each time, so that each round names all of them."""
    titles = [f"Section {number} {'of a long name ' * 11}" for number in range(2_000)]
    wishes = Wishes(expect=Raw(json.dumps({"sections": titles}).encode()))
    entry = Entry(1, "b", "b", b"{}", "claude-haiku-4-5", 2_000, rounds=3, wishes=wishes)
    read = [len("".join(titles).encode())] * 3
    spent = to_picodollars(price(Usage(input_tokens=min(sum(read), 600_000)), entry.model).charged)
    assert (worst_of(entry, Catalogue()) or 0) >= (spent or 0) > 0


def sandboxed(params: bytes, betas: tuple[str, ...]) -> Result:
    """What the sandbox answers, at once."""
    terms = Terms("2026-10-21", frozenset(betas))
    finding = Examiner(Counter()).examine(params, terms, 0.0)
    assert finding.refusal is None
    message = compose(Prompt("m", params, terms, finding.tokens, finding.cached), 1)
    line = json.dumps({"custom_id": "b", "result": {"type": "succeeded", "message": message}})
    return result_line.read(line.encode()).result


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(MODELS),
    st.integers(1_100, 9_000),
    st.integers(0, 6),
    lists | st.sampled_from(['{"words":9000}', '{"tokens":90000}']),
    st.sampled_from(["", "[sandbox: words 9000]", "[sandbox: words 40]", "[sandbox: unicode]"]),
)
def test_nothing_costs_more_at_the_sandbox_than_its_worst_case(
    model: str, max_tokens: int, rounds: int, expect: str, order: str
) -> None:
    asked = {"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": f"Write. {order}"}]}
    first = params = json.dumps(asked).encode()
    wishes = Wishes(expect=Raw(expect.encode()))
    entry = Entry(1, "b", "b", first, model, max_tokens, rounds=rounds, wishes=wishes)
    worst = worst_of(entry, Catalogue())
    before: dict[str, Any] = {"max_tokens": max_tokens, "rounds": rounds, "allowance": rounds * max_tokens, "betas": ()}
    before |= {"worst": worst, "round": 0, "written": 0}
    draft, spent = NOTHING, 0
    while True:
        result = sandboxed(params, before["betas"])
        spent += to_picodollars(price(result.usage, model).charged) or 0
        trip = replace(TRIP, model=model, wishes=wishes, **before)
        step = next_step(Round(trip, Catalogue().find(model), draft, stored(wishes.expect), first), result)
        if not isinstance(step, Continue):
            break
        before |= {name: getattr(step, name) for name in ("max_tokens", "rounds", "allowance", "worst", "betas")}
        before |= {"round": before["round"] + 1, "written": before["written"] + result.usage.output_tokens}
        draft, params = step.draft, step.params
    assert worst is not None
    assert 0 < spent <= worst

"""Whatever a model answers: what a document may still write and cost only falls, and is never exceeded."""

import json
from typing import Any

from batchd.claude.catalogue import Catalogue
from batchd.claude.price import price, to_picodollars
from batchd.claude.verdict import Result
from batchd.decisions.document.draft import NOTHING
from batchd.decisions.document.expectation import stored
from batchd.decisions.document.next_step import Continue, next_step
from batchd.decisions.document.round import Round
from batchd.decisions.money.worst_case import worst_of
from batchd.delivery import Trip
from batchd.model import Entry, JobId, Lane, RequestId, Usage, Wishes
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

MODELS = ("claude-sonnet-4-6", "claude-haiku-4-5", "claude-sonnet-5-5")
EXPECTATIONS = (None, '{"words":5000}', '{"sections":["Scope","Terms"]}', '{"tokens":90000}', '{"ends_with":"END"}')
ASK = 2_000
"""Bytes of a turn that asks to go on, at the most, for such expectations."""

texts = st.sampled_from(
    ["", "\n", "One line, cut in its mid", "word " * 300, "A line of it.\n" * 50, "[SECTION: Scope]\n"]
)
stops = st.sampled_from(["max_tokens", "max_tokens", "end_turn", "model_context_window_exceeded", None])
answers = st.tuples(texts, stops, st.floats(0, 1), st.floats(0, 1), st.sampled_from([None, "unknown-model"]))
starts = st.tuples(
    st.sampled_from(MODELS),
    st.sampled_from([300, 8_000, 64_000]),
    st.integers(0, 6),
    st.sampled_from(EXPECTATIONS),
    st.sampled_from(Lane),
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
        prompt = min(len(params), len(first) + written + ASK)
        usage = Usage(input_tokens=int(prompt * read), output_tokens=int(before["max_tokens"] * wrote))
        charged = to_picodollars(price(usage, model, lane).charged)
        assert charged is not None
        spent += charged
        trip = Trip(
            row=0,
            request=RequestId(1),
            job=JobId(1),
            job_name="b",
            custom_id="b",
            name="b",
            model=model,
            wishes=wishes,
            attempts_left=1,
            cancelled=False,
            delivered=False,
            written=written,
            **before,
        )
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

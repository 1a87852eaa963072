"""The numbers behind one that goes first."""

from decimal import Decimal
from typing import Any

import pytest
from batchd.claude.cache_marks import Depth, beginnings, marked, unmarked
from batchd.claude.price import cache_prices, saved_by_cache
from batchd.decisions.money.cache_warming import Family, Leader, Warming, alone, decide_warming
from batchd.decisions.money.shared_beginnings import Beginnings, Priming
from batchd.model import RequestId, Usage
from batchd.text.strictjson import encode
from hypothesis import given
from hypothesis import strategies as st

LONG = "All of this is the same for everybody. " * 1_000
"""About 9,750 tokens."""
MODEL = "claude-sonnet-4-6"


def params(question: object, **more: Any) -> Any:
    return {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": question}], **more}


def decided(requests: list[dict[str, Any]], betas: tuple[str, ...] = ()) -> Priming:
    found = Beginnings(64_000)
    for row, request in enumerate(requests):
        found.add(row, encode(request), betas)
    return found.decide()


def test_the_saving_is_what_the_prices_make_it() -> None:
    """By hand, Sonnet 4.6 in batches: 1.50 plain, 3.00 written for an hour, 0.15 read, USD per million tokens."""
    offer = decided([params(f"{n}", system=LONG) for n in range(100)]).reasons
    tokens = 9_752  # 39,000 letters with the JSON around them, at four bytes each
    plain = 100 * tokens * 1.5e-6
    primed = tokens * 3e-6 + 99 * tokens * (0.8 * 0.15e-6 + 0.2 * 3e-6)
    assert f"100 requests share about {tokens:,} tokens" in offer[0]
    assert f"about ${plain - primed:.2f} saved if 80%" in offer[0]
    assert "nothing below 53%" in offer[0]


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-5-5", "claude-haiku-4-5", "claude-mythos-5"])
def test_prices_of_the_cache_are_known(model: str) -> None:
    prices = cache_prices(model)
    assert prices is not None
    assert prices.write == 2 * prices.plain
    assert prices.hit <= prices.plain / 10


def test_the_one_that_is_soonest_done_goes_first() -> None:
    requests = [params(f"{n}", system=LONG, max_tokens=9_000 - (n == 7) * 8_000) for n in range(30)]
    found = decided(requests)
    assert {found.find(each, ()) for each in requests} == {(Depth.SYSTEM, 7)}


@pytest.mark.parametrize(
    "requests",
    [
        [params("once", system=LONG)],
        [params(f"{n}", system=f"{n}{LONG}") for n in range(30)],
        [params(f"{n}", system="short") for n in range(30)],
        [params(f"{n}", system=LONG, max_tokens=100_000) for n in range(30)],
        [params(f"{n}", system=LONG, model="claude-unheard-of") for n in range(30)],
        [params(f"{n}", system=LONG, cache_control={"type": "ephemeral"}) for n in range(30)],
        [params(f"{n}", tools=[{"name": "t", "input_schema": {"d": LONG}, "defer_loading": True}]) for n in range(30)],
    ],
    ids=["one", "all different", "short", "slow", "no price", "own breakpoints", "tool of later"],
)  # fmt: skip
def test_where_nobody_goes_first(requests: list[dict[str, Any]]) -> None:
    found = decided(requests)
    assert not found.places
    assert found.reasons[0].startswith("sent as they are")


def test_a_deeper_beginning_is_taken_where_it_saves_more() -> None:
    shared = {"type": "text", "text": LONG * 3}
    deep = [params([shared, {"type": "text", "text": f"{n}"}], system=LONG) for n in range(30)]
    shallow = [params(f"{n}", system=LONG) for n in range(30)]
    assert decided(deep).find(deep[3], ()) == (Depth.CONTEXT, 0)
    assert decided(shallow).find(shallow[3], ()) == (Depth.SYSTEM, 0)
    many = shallow * 10 + deep[:2]
    assert decided(many).find(deep[0], ()) == (Depth.SYSTEM, 0)


def test_what_the_cache_depends_on_keeps_apart() -> None:
    plain, thinking = params("q", system=LONG), params("q", system=LONG, thinking={"type": "adaptive"})
    assert beginnings(plain, ())[0].digest != beginnings(thinking, ())[0].digest
    assert beginnings(plain, ())[0].digest != beginnings(plain, ("some-beta",))[0].digest


texts = st.text(st.characters(codec="utf-8"), min_size=1)
contents = st.one_of(
    texts, st.lists(texts.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=3)
)  # fmt: skip


@given(
    turns=st.lists(contents, min_size=1, max_size=3),
    system=st.one_of(st.none(), contents),
    tools=st.one_of(st.none(), st.lists(texts.map(lambda name: {"name": name}), min_size=1, max_size=2)),
)
def test_a_breakpoint_changes_nothing_but_itself(turns: list[Any], system: Any, tools: Any) -> None:
    request: Any = {
        "model": MODEL,
        "messages": [{"role": "user" if n % 2 == 0 else "assistant", "content": each} for n, each in enumerate(turns)],
    }
    request |= {"system": system} if system else {}
    request |= {"tools": tools} if tools else {}
    before = encode(request)
    for depth, found in zip(Depth, beginnings(request, ()), strict=True):
        if found.size:
            once = marked(request, depth)
            assert encode(once).count(b'"cache_control":{"type":"ephemeral","ttl":"1h"}') == 1
            assert _as_blocks(unmarked(once)) == _as_blocks(request)
            assert encode(request) == before


def _as_blocks(request: Any) -> dict[str, Any]:
    def blocks(content: Any) -> Any:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    turns = [{**turn, "content": blocks(turn["content"])} for turn in request["messages"]]
    return {**request, "system": blocks(request.get("system")), "messages": turns}


def test_what_was_saved_is_told_from_what_was_charged() -> None:
    read = Usage(input_tokens=10, cache_read_input_tokens=1_000_000, output_tokens=5)
    assert saved_by_cache(read, MODEL) == Decimal("1.35")
    written = Usage(cache_write_1h_tokens=1_000_000)
    assert saved_by_cache(written, MODEL) == Decimal("-1.5")
    assert saved_by_cache(Usage(input_tokens=10), MODEL) == 0
    assert saved_by_cache(read, "claude-unheard-of") is None


@pytest.mark.parametrize(
    ("tried", "warmed_at", "step"),
    [
        (1, 1_000.0, Warming.GO),
        (2, 1_000.0, Warming.GO),
        (1, None, Warming.ANOTHER),
        (1, -2_500.0, Warming.ANOTHER),
        (2, -2_500.0, Warming.BARE),
        (2, None, Warming.BARE),
    ],
)
def test_only_a_warm_cache_lets_the_others_go(tried: int, warmed_at: float | None, step: Warming) -> None:
    assert decide_warming(Family(RequestId(1), tried, warmed_at), 1_000.0) is step


def test_of_a_family_whose_cache_is_cold_only_the_one_that_leads_may_go() -> None:
    never, gone_cold, warm = (
        Leader(RequestId(1), RequestId(4), None),
        Leader(RequestId(2), RequestId(2), 1_000.0),
        Leader(RequestId(3), RequestId(3), 1_001.0),
    )
    assert alone([never, gone_cold, warm], 1_000.0) == {1: 4, 2: 2}

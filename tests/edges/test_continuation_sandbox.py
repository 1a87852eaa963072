"""Documents cut and continued through a real server, by the SDK: equal, byte for byte, to those without a cut."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from batchd.claude.turn import Wanted, larger_params, next_params
from batchd.decisions.document.expectation import Expectation
from batchd.decisions.document.expectation_check import examine, thinking_ate_it
from batchd.decisions.document.stitch import join, kept
from batchd.sandbox import SandboxSettings, serve

pytestmark = pytest.mark.anyio

PROMPT = "Write a manual.\n[SECTION: Setup]\n[SECTION: Use]\n[SECTION: Care]\nAt least 3,000 words."
TITLES = ("Setup", "Use", "Care")
MOST_ROUNDS = 8


@pytest.fixture
async def sdk() -> AsyncIterator[AsyncAnthropic]:
    async with (
        serve(SandboxSettings(duration=0.0)) as server,
        AsyncAnthropic(base_url=server.base_url, api_key="sk-test", max_retries=0) as client,
    ):
        yield client


def asked(prompt: str, **changes: Any) -> bytes:
    params = {"model": "claude-sonnet-4-6", "max_tokens": 64_000, "messages": [{"role": "user", "content": prompt}]}
    return json.dumps({**params, **changes}).encode()


async def answer(sdk: AsyncAnthropic, params: bytes) -> Any:
    requests: Any = [{"custom_id": "r", "params": json.loads(params)}]
    batch = await sdk.messages.batches.create(requests=requests)
    while batch.processing_status != "ended":
        batch = await sdk.messages.batches.retrieve(batch.id)
    (line,) = [line async for line in await sdk.messages.batches.results(batch.id)]
    assert line.result.type == "succeeded", line
    return line.result.message


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def whole(sdk: AsyncAnthropic, params: bytes, *, cached: bool = False) -> tuple[str, list[Any]]:
    """The document, in as many rounds as it takes, and the answer of each."""
    text, since, rounds, kept_before = "", 0, list[Any](), list[int]()
    following = params
    while len(rounds) < MOST_ROUNDS:
        message = await answer(sdk, following)
        rounds.append(message)
        before = text[:since]
        text = join(before, text_of(message), dropped=text[since:]).text
        if message.stop_reason == "end_turn":
            return text, rounds
        since = len(kept(text, since=since))
        following = next_params(
            json.loads(params), text[:since], max_tokens=64_000, cached=kept_before if cached else None
        )
        kept_before.append(since)
    raise AssertionError(f"not ended after {MOST_ROUNDS} rounds")


@pytest.mark.parametrize(
    ("cut", "rounds"),
    [
        ("truncate", 2),
        ("truncate rounds 2", 3),
        ("truncate rounds 3", 4),
        ("truncate at 1500 rounds 2", 3),
        ("truncate at 5003 rounds 2", 3),
        ("truncate at 77 rounds 1", 2),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
async def test_a_document_cut_and_continued_is_the_one_without_a_cut(
    sdk: AsyncAnthropic,
    cut: str,
    rounds: int,
    cached: bool,  # noqa: FBT001
) -> None:
    uncut, _ = await whole(sdk, asked(PROMPT))
    stitched, answers = await whole(sdk, asked(f"{PROMPT}\n[sandbox: {cut}]"), cached=cached)
    assert [message.stop_reason for message in answers] == ["max_tokens"] * (rounds - 1) + ["end_turn"]
    assert stitched == uncut
    assert examine(stitched, Expectation(words=3_000, titles=TITLES, closed=True)).met


async def test_so_is_one_cut_by_max_tokens_at_any_place(sdk: AsyncAnthropic) -> None:
    uncut, _ = await whole(sdk, asked(PROMPT))
    for max_tokens in (1_501, 2_222, 3_333):
        stitched, answers = await whole(sdk, asked(PROMPT, max_tokens=max_tokens))
        assert answers[0].stop_reason == "max_tokens"
        assert stitched == uncut


async def test_so_is_one_whose_thinking_went_with_it(sdk: AsyncAnthropic) -> None:
    uncut, _ = await whole(sdk, asked(PROMPT))
    params = asked(f"{PROMPT}\n[sandbox: thinking 500]\n[sandbox: truncate]\n[sandbox: unicode]")
    plain, _ = await whole(sdk, asked(f"{PROMPT}\n[sandbox: unicode]"))
    stitched, answers = await whole(sdk, params)
    assert answers[0].content[0].type == "thinking"
    assert stitched == plain
    assert stitched != uncut


async def test_what_earlier_rounds_left_in_the_cache_is_read(sdk: AsyncAnthropic) -> None:
    prompt = f"{PROMPT.replace('3,000', '9,000')}\n[sandbox: truncate at 9000 rounds 3]"
    _, answers = await whole(sdk, asked(prompt), cached=True)
    assert answers[1].usage.cache_creation_input_tokens > 0
    assert answers[2].usage.cache_read_input_tokens == answers[1].usage.cache_creation_input_tokens
    assert answers[2].usage.cache_creation_input_tokens > 0
    assert answers[3].usage.cache_read_input_tokens == (
        answers[2].usage.cache_read_input_tokens + answers[2].usage.cache_creation_input_tokens
    )


async def test_the_missing_section_of_an_ended_document_is_asked_for_and_added(sdk: AsyncAnthropic) -> None:
    params = asked(f"{PROMPT}\n[sandbox: omit Use]")
    expected = Expectation(titles=TITLES)
    text = text_of(await answer(sdk, params))
    found = examine(text, expected)
    assert found.missing == ("Use",)
    wanted = Wanted(found.sentence, found.missing)
    more = text_of(await answer(sdk, next_params(json.loads(params), text, max_tokens=64_000, wanted=wanted)))
    joined = join(text, more, ended=True)
    assert joined.text.startswith(text + "\n\n[SECTION: Use]\n\n")
    assert examine(joined.text, expected).met


async def test_thinking_that_left_no_text_is_told_and_more_room_helps(sdk: AsyncAnthropic) -> None:
    params = asked(f"{PROMPT}\n[sandbox: thinking 5000]", max_tokens=5_000)
    message = await answer(sdk, params)
    told = thinking_ate_it(
        text_of(message),
        stop_reason=message.stop_reason,
        output_tokens=message.usage.output_tokens,
        max_tokens=5_000,
        thinking_tokens=message.usage.output_tokens_details.thinking_tokens,
    )
    assert told.startswith("thinking took 4,999 of the 5,000 tokens")
    assert (await answer(sdk, larger_params(json.loads(params), 64_000))).stop_reason == "end_turn"

from collections import Counter

import msgspec
import pytest
from batchd.sandbox.checks import Refusal, Terms
from batchd.sandbox.examiner import Cached, Examiner, Finding

from tests.support import media

BETA = "output-300k-2026-03-24"
NEW = Terms("2026-10-21")
LONG = Terms("2026-10-21", frozenset({BETA}))
OLD = Terms("2023-06-01")
USER = {"role": "user", "content": "Hello"}
CITED = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}
GOOD: dict[str, object] = {"model": "claude-sonnet-4-6", "max_tokens": 1000, "messages": [USER]}


def examine(params: object, terms: Terms = NEW, examiner: Examiner | None = None, now: float = 0.0) -> Finding:
    return (examiner or Examiner(Counter())).examine(msgspec.json.encode(params), terms, now)


def why(change: dict[str, object], terms: Terms = NEW) -> Refusal | None:
    params = {name: value for name, value in {**GOOD, **change}.items() if value is not msgspec.UNSET}
    return examine(params, terms).refusal


def said(content: object, role: str = "user") -> dict[str, object]:
    return {"messages": [{"role": role, "content": content}]}


@pytest.mark.parametrize(
    ("change", "terms"),
    [
        ({}, NEW),
        ({"max_tokens": 128_000}, NEW),
        ({"max_tokens": 300_000}, LONG),
        ({"max_tokens": 64_000, "model": "claude-haiku-4-5-20251001"}, NEW),
        ({"temperature": 1.0, "top_p": 0.5}, OLD),
        ({"stream": False, "metadata": {"user_id": "u"}, "service_tier": "auto", "stop_sequences": ["END"]}, NEW),
        ({"system": "Be brief", "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, NEW),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, NEW),
        ({"context_management": {}}, Terms("2026-10-21", frozenset({"context-management-2025-06-27"}))),
        (said([{"type": "text", "text": "x"}, {"type": "image", "source": {"type": "url", "url": "https://x"}}]), NEW),
        ({"messages": [USER, {"role": "assistant", "content": "Well,"}], "model": "claude-opus-4-5"}, NEW),
    ],
)
def test_takes_what_the_api_takes(change: dict[str, object], terms: Terms) -> None:
    assert why(change, terms) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": msgspec.UNSET}, "max_tokens: Field required"),
        ({"messages": msgspec.UNSET}, "messages: Field required"),
        ({"model": msgspec.UNSET}, "model: Field required"),
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
        ({"top_k": 5}, "top_k: Extra inputs are not permitted"),
        ({"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
        ({"speed": "fast"}, "speed: not supported in the Message Batches API"),
        ({"fallbacks": []}, "fallbacks: not supported in the Message Batches API"),
        ({"stream": True}, "stream: streaming is not supported in the Message Batches API"),
        ({"max_tokens": 0}, "max_tokens: 0 is not supported in the Message Batches API"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": "Hello"}, "messages: Input should be a valid list"),
        ({"messages": ["Hello"]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{**USER, "name": "x"}]}, "messages.0.name: Extra inputs are not permitted"),
        (said("x", "system"), "messages.0: role 'system' is not supported on this model"),
        (said("x", "tool"), 'messages: Unexpected role "tool". Allowed roles are "user" or "assistant".'),
        (said(""), "messages.0: user messages must have non-empty content"),
        (said(" \n"), "messages: text content blocks must contain non-whitespace text"),
        (said([{"type": "text", "text": ""}]), "messages: text content blocks must be non-empty"),
        (said([{"type": "text"}]), "messages.0.content.0.text.text: Field required"),
        (said([{"type": "text", "text": "x", "y": 1}]), "messages.0.content.0.text.y: Extra inputs are not permitted"),
        (said([{"text": "x"}]), "messages.0.content.0.type: Field required"),
        (
            said([{"type": "text", "text": "x", "citations": [CITED]}]),
            "messages.0.content.0.text.citations: Extra inputs are not permitted",
        ),
        ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
        ({"system": 5}, "system: Input should be a valid list"),
        ({"metadata": {"job": "x"}}, "metadata.job: Extra inputs are not permitted"),
        ({"tools": [{"name": "t"}]}, "tools.0.custom.input_schema: Field required"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 10}},
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
        (
            {"cache_control": {"type": "ephemeral", "ttl": "1d"}},
            "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
        ),
        (
            {"max_tokens": 128_001},
            "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-sonnet-4-6",
        ),
        (
            {"messages": [USER, {"role": "assistant", "content": "Well"}]},
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ),
    ],
)
def test_refuses_what_the_api_refuses_in_its_words(change: dict[str, object], message: str) -> None:
    assert why(change) == Refusal("invalid_request_error", message)


def test_300k_needs_the_beta_and_a_model_that_can() -> None:
    beyond = why({"max_tokens": 300_001}, LONG)
    assert beyond
    assert beyond.message.startswith("max_tokens: 300001 > 300000, which is the maximum allowed")
    assert why({"model": "claude-opus-4-5", "max_tokens": 64_001}, LONG)
    assert why({"model": "claude-fable-5-1", "max_tokens": 300_000}, LONG)


def test_an_unknown_model_is_not_found() -> None:
    assert why({"model": "claude-3-opus"}) == Refusal("not_found_error", "model: claude-3-opus")


def test_a_prompt_above_the_window_is_too_long_but_a_big_image_is_not() -> None:
    refusal = why({**said("x" * 1_800_000), "model": "claude-haiku-4-5"})
    assert refusal
    assert refusal.message.startswith("prompt is too long: 225000")
    source = media.base64_source("image/png", media.png(9, 9) + b"x" * 1_800_000)
    assert why({**said([{"type": "image", "source": source}]), "model": "claude-haiku-4-5"}) is None


def test_params_of_another_size_are_not_looked_into() -> None:
    assert why(said("x" * 32_000_000)) == Refusal("request_too_large", "Request exceeds the maximum size")


def test_the_digest_ignores_the_order_of_keys() -> None:
    backwards = dict(reversed(GOOD.items()))
    assert examine(backwards).digest == examine(GOOD).digest
    assert examine({**GOOD, "max_tokens": 1001}).digest != examine(GOOD).digest


def test_told_to_fail_it_fails_that_often_per_prompt() -> None:
    examiner = Examiner(Counter())
    params = {**GOOD, **said("[sandbox: fail overloaded_error 2]")}
    assert [examine(params, examiner=examiner).outcome for _ in range(3)] == ["errored", "errored", "succeeded"]
    other = {**GOOD, **said("Another [sandbox: fail overloaded_error 2]")}
    assert examine(other, examiner=examiner).refusal == Refusal(
        "overloaded_error", "The sandbox was told to fail: attempt 1"
    )


def test_a_wrong_directive_comes_back_as_a_mistake() -> None:
    refusal = why(said("[sandbox: dance]"))
    assert refusal
    assert "no such directive" in refusal.message


def test_the_first_of_a_kind_writes_the_cache_and_the_others_read_it_until_it_is_cold() -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    params = {**GOOD, "system": [{"type": "text", "text": "word " * 2000, "cache_control": control}]}
    examiner = Examiner(Counter())
    size = examine(params, examiner=examiner, now=0.0).cached.wrote_1h
    assert size > 2000
    assert examine(params, examiner=examiner, now=3000.0).cached == Cached(read=size)
    assert examine(params, examiner=examiner, now=6000.0).cached == Cached(read=size)
    assert examine(params, examiner=examiner, now=9601.0).cached == Cached(wrote_1h=size)


def test_a_short_prefix_is_not_cached_and_five_breakpoints_are_too_many() -> None:
    block = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert examine({**GOOD, "system": [block]}).cached == Cached()
    refusal = why({"system": [block] * 5})
    assert refusal
    assert refusal.message == "A maximum of 4 blocks with cache_control may be provided. Found 5."

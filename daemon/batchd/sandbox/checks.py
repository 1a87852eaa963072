"""The API's own checks of a request's `params`: at once outside of a batch, hours late inside one.

Where the API's wording is not known (what only one of the two ways allows), it is the sandbox's own, in its style.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from batchd.sandbox import contents, models
from batchd.sandbox.contents import EXTRA, REQUIRED, STRICTER

REQUIRED_FIELDS = ("model", "max_tokens", "messages")
FIELDS = frozenset(
    {
        *REQUIRED_FIELDS,
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    },
)
"""What the Messages API takes (SDK 2.12.0, `message_create_params.py`)."""
BETA_FIELDS = frozenset(
    {
        "billing_policy",
        "compaction",
        "context_management",
        "fallback_credit_token",
        "mcp_servers",
        "output_format",
        "thread",
        "user_profile_id",
    },
)
"""What it takes besides, once the call carries any beta."""
SAMPLING_FIELDS = frozenset({"temperature", "top_p", "top_k"})
"""Gone with version 2026-10-21, on every model, whatever their value."""
UNBATCHED_FIELDS = frozenset({"speed", "fallbacks"})
"""What the Messages API takes, yet neither a batch nor the sandbox."""
MOST_BREAKPOINTS = 4

_OBJECTS = ("metadata", "output_config", "tool_choice")
_SERVICE_TIERS = ("auto", "standard_only")


@dataclass(frozen=True, slots=True)
class Terms:
    """How requests came: the headers of the call, which hold for every request of a batch, and whether it is one."""

    version: str
    """`anthropic-version`."""
    betas: frozenset[str] = frozenset()
    """`anthropic-beta`."""
    batched: bool = True


class Refusal(NamedTuple):
    """Why a request is not answered."""

    kind: str
    """`error.type`."""
    message: str


def refusal(params: Mapping[str, object], terms: Terms, prompt_tokens: int, breakpoints: int) -> Refusal | None:
    """Why the API would refuse to process a request; None if it would not.

    Args:
        prompt_tokens: Size of system prompt, tools and messages.
        breakpoints: How many places are marked with `cache_control`.
    """
    for message in _malformed(params, terms):
        return Refusal("invalid_request_error", message)
    model = models.find(str(params["model"]))
    if model is None:
        return Refusal("not_found_error", f"model: {params['model']}")
    for message in _beyond(params, model, terms, prompt_tokens, breakpoints):
        return Refusal("invalid_request_error", message)
    return None


def _malformed(params: Mapping[str, object], terms: Terms) -> Iterator[str]:
    if not terms.batched and models.BETA_300K in terms.betas:
        yield f"anthropic-beta: `{models.BETA_300K}` is supported in the Message Batches API only"
    yield from (f"{name}: {REQUIRED}" for name in REQUIRED_FIELDS if name not in params)
    taken = FIELDS | UNBATCHED_FIELDS
    if terms.betas:
        taken |= BETA_FIELDS
    if terms.version < STRICTER:
        taken |= SAMPLING_FIELDS
    yield from (f"{name}: {EXTRA}" for name in params if name not in taken)
    where = "in the Message Batches API" if terms.batched else "by the sandbox"
    yield from (f"{name}: not supported {where}" for name in params if name in UNBATCHED_FIELDS)
    yield from _scalars(params)
    yield from _batched(params) if terms.batched else _without_answer(params)
    yield from contents.messages(params["messages"], terms.version)
    if "system" in params:
        yield from contents.system(params["system"])
    if "tools" in params:
        yield from contents.tools(params["tools"])
    if "thinking" in params:
        max_tokens = params["max_tokens"]
        yield from contents.thinking(params["thinking"], max_tokens if isinstance(max_tokens, int) else 0)
    yield from contents.cache_control(params.get("cache_control"), "cache_control")


def _scalars(params: Mapping[str, object]) -> Iterator[str]:
    model, max_tokens = params["model"], params["max_tokens"]
    if not isinstance(model, str):
        yield "model: Input should be a valid string"
    elif not model:
        yield "model: String should have at least 1 character"
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool):
        yield "max_tokens: Input should be a valid integer"
    elif max_tokens < 0:
        yield "max_tokens: Input should be greater than or equal to 1"
    if not isinstance(params.get("stream", False), bool):
        yield "stream: Input should be a valid boolean"
    yield from _small(params)


def _batched(params: Mapping[str, object]) -> Iterator[str]:
    """What a batch does not allow."""
    if params["max_tokens"] == 0:
        yield "max_tokens: 0 is not supported in the Message Batches API"
    if params.get("stream"):
        yield "stream: streaming is not supported in the Message Batches API"


def _without_answer(params: Mapping[str, object]) -> Iterator[str]:
    """What makes no sense with `max_tokens: 0`, which fills the prompt cache and writes nothing (SDK 2.12.0).

    The API is known to refuse some of it; which, nobody here could verify, so the sandbox refuses all of it.
    """
    if params["max_tokens"] != 0:
        return
    if params.get("stream"):
        yield "max_tokens: 0 is not supported when streaming"
    output, choice = params.get("output_config"), params.get("tool_choice")
    if isinstance(output, Mapping) and output.get("format"):
        yield "max_tokens: 0 is not supported with output_config.format"
    if isinstance(choice, Mapping) and choice.get("type") in {"any", "tool"}:
        yield f"max_tokens: 0 is not supported with tool_choice.type '{choice['type']}'"


def _small(params: Mapping[str, object]) -> Iterator[str]:
    for name in _OBJECTS:
        if name in params and not isinstance(params[name], Mapping):
            yield f"{name}: Input should be a valid dictionary"
    if isinstance(metadata := params.get("metadata"), Mapping):
        yield from (f"metadata.{name}: {EXTRA}" for name in metadata if name != "user_id")
    if "service_tier" in params and params["service_tier"] not in _SERVICE_TIERS:
        yield "service_tier: Input should be 'auto' or 'standard_only'"
    sequences = params.get("stop_sequences", [])
    if not isinstance(sequences, list):
        yield "stop_sequences: Input should be a valid list"
    elif not all(isinstance(sequence, str) and sequence.strip() for sequence in sequences):
        yield "stop_sequences: each stop sequence must contain non-whitespace"


def _beyond(
    params: Mapping[str, object],
    model: models.Model,
    terms: Terms,
    prompt_tokens: int,
    breakpoints: int,
) -> Iterator[str]:
    """What is well formed, yet more than this model does."""
    cap, asked = model.cap(terms.betas), params["max_tokens"]
    if isinstance(asked, int) and asked > cap:
        yield (
            f"max_tokens: {asked} > {cap}, which is the maximum allowed number of output tokens for {params['model']}"
        )
    conversation = params["messages"]
    if isinstance(conversation, list) and not model.prefill and conversation[-1]["role"] == "assistant":
        yield ("This model does not support assistant message prefill. The conversation must end with a user message.")
    if breakpoints > MOST_BREAKPOINTS:
        yield (f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {breakpoints}.")
    if prompt_tokens > model.window:
        yield f"prompt is too long: {prompt_tokens} tokens > {model.window} maximum"

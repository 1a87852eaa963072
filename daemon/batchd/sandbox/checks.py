"""The API's own checks of a request's `params`: at once where it comes alone, hours late where it comes in a batch.

Where the API's wording is not known (what only one of the two ways allows), it is the sandbox's own, in its style.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from batchd.sandbox import contents, limits, models, turns
from batchd.sandbox.contents import STRICTER
from batchd.sandbox.shapes import EXTRA, REQUIRED, Reading, known

REQUIRED_FIELDS = ("model", "max_tokens", "messages")
SAMPLING_FIELDS = ("temperature", "top_p", "top_k")
"""Gone with version 2026-10-21, on every model, whatever their value."""
UNBATCHED_FIELDS = ("speed", "fallbacks")
"""What the Messages API takes, yet neither a batch nor the sandbox."""
MOST_BREAKPOINTS = 4
LONGEST_NAME = 256
"""Characters of a model's name."""
_LEAST_TOP_P = 0.95
_FORCED = ("any", "tool")


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


class _Seen:
    """What was met on the way through a request."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.breakpoints: list[tuple[str, str]] = []
        """Path and time to live."""

    def visit(self, shape: str, value: Mapping[str, Any], path: str) -> None:
        """Look at an object that has its shape."""
        self.wrong += contents.part(shape, value, path)
        if shape == "CacheControlEphemeral":
            self.breakpoints.append((path, value.get("ttl", "5m")))


def refusal(params: Mapping[str, object], terms: Terms) -> Refusal | None:
    """Why the API would refuse to process a request; None if it would not.

    Args:
        params: Of the Messages API, as parsed.
        terms: Of the call.
    """
    seen = _Seen()
    for message in _malformed(params, terms, seen):
        return Refusal("invalid_request_error", message)
    model = models.find(str(params["model"]))
    if model is None:
        return Refusal("not_found_error", f"model: {params['model']}")
    for message in _beyond(params, model, terms):
        return Refusal("invalid_request_error", message)
    return None


def window(params: Mapping[str, object], terms: Terms) -> int:
    """Tokens that the model of a request without a refusal reads and writes together."""
    model = models.find(str(params["model"]))
    return model.reads(terms.betas) if model else 0


def _malformed(params: Mapping[str, Any], terms: Terms, seen: _Seen) -> Iterator[str]:
    if not terms.batched and models.BETA_300K in terms.betas:
        yield f"anthropic-beta: `{models.BETA_300K}` is supported in the Message Batches API only"
    yield from (f"{name}: {REQUIRED}" for name in REQUIRED_FIELDS if name not in params)
    taken = _taken(terms)
    yield from (f"{name}: {EXTRA}" for name in params if name not in taken)
    where = "in the Message Batches API" if terms.batched else "by the sandbox"
    unbatched = (name for name in UNBATCHED_FIELDS if params.get(name) is not None)
    yield from (f"{name}: not supported {where}" for name in unbatched)
    reading = Reading(terms.betas, seen.visit)
    for name, value in params.items():
        if name == "stream":
            yield from [] if isinstance(value, bool) else ["stream: Input should be a valid boolean"]
        elif name not in UNBATCHED_FIELDS:
            yield from reading.parameter(name, value)
    yield from seen.wrong
    yield from _ranges(params)
    yield from _batched(params) if terms.batched else _without_answer(params)
    yield from _conversation(params["messages"], terms)
    yield from _between(params)
    yield from _breakpoints(seen.breakpoints, params)


@lru_cache
def _taken(terms: Terms) -> frozenset[str]:
    gone = SAMPLING_FIELDS if terms.version >= STRICTER else ()
    return known(terms.betas).union(UNBATCHED_FIELDS).difference(gone)


def _ranges(params: Mapping[str, Any]) -> Iterator[str]:
    if not params["model"].strip():
        yield "model: String should have at least 1 character"
    if len(params["model"]) > LONGEST_NAME:
        yield f"model: String should have at most {LONGEST_NAME} characters"
    if params["max_tokens"] < 0:
        yield "max_tokens: Input should be greater than or equal to 1"
    if not all(each.strip() for each in params.get("stop_sequences", ())):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    for name in ("temperature", "top_p"):
        if not 0 <= params.get(name, 1) <= 1:
            yield f"{name}: range: 0..1"
    if params.get("top_k", 0) < 0:
        yield "top_k: Input should be greater than or equal to 0"


def _batched(params: Mapping[str, Any]) -> Iterator[str]:
    """What a batch does not allow."""
    if params["max_tokens"] == 0:
        yield "max_tokens: 0 is not supported in the Message Batches API"
    if params.get("stream"):
        yield "stream: streaming is not supported in the Message Batches API"


def _without_answer(params: Mapping[str, Any]) -> Iterator[str]:
    """What makes no sense with `max_tokens: 0`, which fills the prompt cache and writes nothing (SDK 2.12.0).

    The API is known to refuse some of it; which, nobody here could verify, so the sandbox refuses all of it.
    """
    if params["max_tokens"] != 0:
        return
    if params.get("stream"):
        yield "max_tokens: 0 is not supported when streaming"
    if params.get("output_config", {}).get("format"):
        yield "max_tokens: 0 is not supported with output_config.format"
    if (kind := params.get("tool_choice", {}).get("type")) in _FORCED:
        yield f"max_tokens: 0 is not supported with tool_choice.type '{kind}'"


def _conversation(messages: Sequence[Mapping[str, Any]], terms: Terms) -> Iterator[str]:
    yield from turns.empty(messages)
    yield from turns.tools(messages)
    if terms.version >= STRICTER:
        yield from turns.misplaced(messages)


def _between(params: Mapping[str, Any]) -> Iterator[str]:
    """What holds between parameters, whatever the model."""
    yield from _choice(params.get("tool_choice", {}), params.get("tools"), params.get("thinking", {}))
    form = (params.get("output_config", {}).get("format"), params.get("output_format"))
    if all(form):
        yield "output_format: may not be combined with output_config.format"
    if any(form) and turns.cites(params["messages"]):
        yield "output_config.format: citations cannot be used with structured output"
    yield from _servers(params.get("mcp_servers"), params.get("tools", ()))


def _choice(choice: Mapping[str, Any], tools: Sequence[Any] | None, thinking: Mapping[str, Any]) -> Iterator[str]:
    names = [tool["name"] for tool in tools or () if "name" in tool]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    if choice.get("type") not in _FORCED:
        return
    if tools is None:
        yield "tool_choice: may only be specified while providing tools"
    elif choice["type"] == "tool" and choice["name"] not in names and len(names) == len(tools):
        yield f"tool_choice: Tool '{choice['name']}' not found in provided tools"
    if thinking.get("type") == "enabled":
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _servers(servers: Sequence[Any] | None, tools: Sequence[Any]) -> Iterator[str]:
    if servers is None:
        return
    given = [server["name"] for server in servers]
    if len(set(given)) < len(given):
        yield "mcp_servers: server names must be unique"
    wanted = (tool["mcp_server_name"] for tool in tools if tool.get("type") == "mcp_toolset")
    known = set(given)
    yield from (f"tools: MCP server '{name}' not found in mcp_servers" for name in wanted if name not in known)


def _breakpoints(found: Sequence[tuple[str, str]], params: Mapping[str, Any]) -> Iterator[str]:
    order = ("tools", "system", "messages", "cache_control")
    ranked = [(order.index(path.partition(".")[0]), ttl) for path, ttl in found if path.partition(".")[0] in order]
    content = params["messages"][-1].get("content") if params["messages"] else None
    last = content[-1].get("cache_control") if isinstance(content, list) and content else None
    if (automatic := params.get("cache_control")) and last:
        if automatic.get("ttl", "5m") != last.get("ttl", "5m"):
            yield "cache_control: ttl differs from that of the last block"
        ranked = [each for each in ranked if each[0] < order.index("cache_control")]
    if len(ranked) > MOST_BREAKPOINTS:
        yield f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(ranked)}."
    lives = [ttl for _, ttl in sorted(ranked, key=lambda each: each[0])]
    if "5m" in lives and "1h" in lives[lives.index("5m") :]:
        yield "cache_control: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"


def _beyond(params: Mapping[str, Any], model: models.Model, terms: Terms) -> Iterator[str]:
    """What is well formed, yet more than this model does."""
    cap, asked = model.cap(terms.betas), params["max_tokens"]
    if asked > cap:
        yield (
            f"max_tokens: {asked} > {cap}, which is the maximum allowed number of output tokens for {params['model']}"
        )
    yield from _thinking(params, model, terms)
    yield from _sampling(params, model)
    if params.get("tool_choice", {}).get("type") in _FORCED and not model.forced_tools:
        yield f"tool_choice: forced tool use is not supported by {model.id}"
    if params.get("inference_geo") is not None and not model.regions:
        yield "inference_geo: not supported by this model"
    yield from limits.of_all_files(params["messages"], model.reads(terms.betas))
    if (least := limits.least_tokens(params)) > model.reads(terms.betas):
        yield f"prompt is too long: {least} tokens > {model.reads(terms.betas)} maximum"
    yield from turns.system(params["messages"], supported=model.system_turns)
    if not params.get("fallback_credit_token"):
        thinks = params.get("thinking", {}).get("type") == "enabled"
        yield from turns.prefill(params["messages"], supported=model.prefill, thinks=thinks)


def _thinking(params: Mapping[str, Any], model: models.Model, terms: Terms) -> Iterator[str]:
    thinking, effort = params.get("thinking", {}), params.get("output_config", {}).get("effort")
    kind = thinking.get("type")
    if effort is not None and effort not in model.efforts:
        yield f"output_config.effort: '{effort}' is not supported by {model.id}"
    if kind is not None and kind not in model.thinking:
        yield f"thinking.type: '{kind}' is not supported by {model.id}"
    elif kind == "enabled":
        interleaved = any(beta.startswith("interleaved-thinking-") for beta in terms.betas)
        if thinking["budget_tokens"] >= params["max_tokens"] and not interleaved:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`"
    elif kind in {"disabled", "between_tools"} and model.modest and effort in {"xhigh", "max"}:
        yield f"output_config.effort: '{effort}' needs thinking on {model.id}"


def _sampling(params: Mapping[str, Any], model: models.Model) -> Iterator[str]:
    if not model.sampling:
        yield from (f"{name}: not supported by this model" for name in SAMPLING_FIELDS if name in params)
        return
    if model.one_sampling and "temperature" in params and "top_p" in params:
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    if params.get("thinking", {}).get("type") in {"enabled", "adaptive"}:
        if params.get("temperature", 1) != 1:
            yield "`temperature` may only be set to 1 when thinking is enabled."
        if "top_k" in params:
            yield "`top_k` must be unset when thinking is enabled."
        if params.get("top_p", 1) < _LEAST_TOP_P:
            yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."

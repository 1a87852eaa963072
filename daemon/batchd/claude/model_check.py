"""Whether a model, and the version and betas of a call, take what a whole request asks for; `catalogue` has the facts.

What is wrong here comes back from the API per request and hours later, so it is said before anything is spent. A rule
looks only at parameters that are there: those with flaws of their own are left out, and everything else is told still.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from batchd.claude import breakpoints, conversation_check
from batchd.claude.catalogue import LONGEST_OUTPUT, Catalogue, LongOutput, ModelFacts
from batchd.claude.media import files_of
from batchd.claude.media_limits import Medium, too_many
from batchd.claude.model_names import meant, on_other_platforms
from batchd.claude.prompt_size import window_of
from batchd.claude.shapes import Breakpoint, Use
from batchd.claude.window_check import about_too_long, tokens_at_least
from batchd.model import BETA_300K
from batchd.text.strictjson import Flaw, shown

CURRENT_VERSION: Final = "2026-10-21"
"""Of the API: what the SDK sends, and every request that needs no other."""
SAMPLING_VERSION: Final = "2023-06-01"
"""Of the API: the last that takes `temperature`, `top_p` and `top_k` (docs: versioning)."""

_SAMPLING: Final = ("temperature", "top_p", "top_k")
_THINKING: Final = ("adaptive", "enabled", "disabled", "between_tools")
_USUAL_CAP: Final = 128_000
_HARD_EFFORTS: Final = ("xhigh", "max")
_FORCED: Final = ("any", "tool")
_MOST_SHOWN: Final = 12
_LEAST_TOP_P: Final = 0.95
_INTERLEAVED: Final = "interleaved-thinking-"
"""With this beta a thinking budget may exceed max_tokens (docs: extended thinking)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole request, as far as each of its parameters is sound by itself."""

    params: Mapping[str, Any]
    betas: tuple[str, ...] = ()
    """Those that were asked for, sorted."""
    uses: Sequence[Use] = ()
    """What only a beta brings."""
    breakpoints: Mapping[str, list[Breakpoint]] = field(default_factory=dict)
    """By the parameter that holds them."""


class Fit(NamedTuple):
    """What becomes of a request at its model."""

    flaws: list[Flaw]
    cautions: list[Flaw]
    betas: tuple[str, ...]
    """Those that were asked for and those that it needs, sorted."""
    version: str
    """Of the API, with which it is to go."""


def fit(asked: Asked, catalogue: Catalogue) -> Fit:
    """Check a whole request against its model, the API's version and its betas."""
    params = asked.params
    version = SAMPLING_VERSION if any(key in params for key in _SAMPLING) else CURRENT_VERSION
    flaws = [*_betas(asked), *_parts(params, asked), *_turns(params, version)]
    model = params.get("model")
    if model is None:
        return Fit(flaws, [], asked.betas, version)
    facts = catalogue.find(model)
    wrong = _name(model, facts, catalogue)
    if wrong:
        return Fit([wrong, *flaws], [], asked.betas, version)
    flaws += [*_output(params, facts, catalogue), *_thinking(params, facts, asked.betas)]
    flaws += [*_tool_choice(params, facts), *_sampling(params, facts, catalogue), *_region(params, facts)]
    window = window_of(facts, asked.betas)
    media = [file.known for file in files_of(params.get("messages"))]
    flaws += [*_speakers(params, facts), *too_many(media, facts, window), *_length(params, media, facts, window)]
    cautions = [*_cautions(params, facts, catalogue), *_probable_length(params, facts, window)]
    betas = asked.betas
    if _needs_300k(params.get("max_tokens", 0), facts) and BETA_300K not in betas:
        betas = tuple(sorted((*betas, BETA_300K)))
    return Fit(flaws, cautions, betas, version)


def _name(model: str, facts: ModelFacts, catalogue: Catalogue) -> Flaw | None:
    if facts.retired:
        return Flaw("model", f"{shown(model)} was retired on {facts.retired}; {_current(facts.name, catalogue)}")
    if facts.known or on_other_platforms(model, catalogue.models):
        return None
    other = meant(model, catalogue.models)
    if not other:
        return None
    said = f"{shown(model)} is no model of the API; did you mean {other}?"
    if retired := catalogue.models[other].retired:
        said += f" That was retired on {retired}; {_current(other, catalogue)}"
    return Flaw("model", said)


def _current(name: str, catalogue: Catalogue) -> str:
    family = next((each for each in ("opus", "sonnet", "haiku") if each in name), "haiku" if "instant" in name else "")
    return f"a current one is {catalogue.newest(family)}"


def _cautions(params: Mapping[str, Any], facts: ModelFacts, catalogue: Catalogue) -> Iterator[Flaw]:
    name = shown(facts.name)
    if not facts.known:
        said = f"{name} is not known here, so neither its limits nor its price are; settings can tell them"
        if other := on_other_platforms(facts.name, catalogue.models):
            said = f"{name} is another platform's name; unless base_url leads there, use {other}, as the API calls it"
        yield Flaw("model", said)
    if facts.retires:
        yield Flaw("model", f"{name} retires on {facts.retires}; requests after that will fail")
    if params.get("max_tokens", 0) > facts.max_output and facts.long_output is LongOutput.UNKNOWN:
        said = f"whether {name} writes more than {facts.max_output:,} tokens is not known here"
        yield Flaw("max_tokens", f"{said}; if not, the request comes back as an error, unbilled")


def _betas(asked: Asked) -> Iterator[Flaw]:
    for use in asked.uses:
        if not any(beta.startswith(use.begin) for beta in asked.betas):
            yield Flaw(use.field, f'needs a beta; say betas: ["{use.beta}"] beside params, or in the job\'s settings')


def _parts(params: Mapping[str, Any], asked: Asked) -> Iterator[Flaw]:
    """What holds between parameters, whatever the model."""
    yield from breakpoints.check(asked.breakpoints, params)
    yield from _structured(params)
    yield from _toolsets(params)


def _structured(params: Mapping[str, Any]) -> Iterator[Flaw]:
    """Structured output is asked for in one place, and excludes citations."""
    format_ = (params.get("output_config") or {}).get("format")
    older = params.get("output_format")
    if format_ and older:
        yield Flaw("output_format", "may not stand beside output_config.format; keep the latter")
    if format_ or older:
        blocks = conversation_check.blocks_of(params.get("messages", ()))
        if citing := next((block for block in blocks if _cites(block.value.get("citations"))), None):
            said = f"structured output excludes citations, and {citing.field} has them; leave out one of them"
            yield Flaw("output_config.format" if format_ else "output_format", said)


def _toolsets(params: Mapping[str, Any]) -> Iterator[Flaw]:
    """A set of tools is of a server that the request names."""
    if (servers := params.get("mcp_servers")) is None:
        return
    names = {server["name"] for server in servers}
    for index, tool in enumerate(params.get("tools", ())):
        if tool.get("type") == "mcp_toolset" and tool["mcp_server_name"] not in names:
            said = f"mcp_servers has no server of the name {shown(tool['mcp_server_name'])}; mend the name"
            yield Flaw(f"tools[{index}].mcp_server_name", said)


def _cites(citations: object) -> bool:
    return isinstance(citations, dict) and citations.get("enabled") is True


def _turns(params: Mapping[str, Any], version: str) -> Iterator[Flaw]:
    messages = params.get("messages")
    if messages:
        yield from conversation_check.calls(messages)
        if version >= CURRENT_VERSION:
            yield from conversation_check.refused_since_2026_10(messages)


def _speakers(params: Mapping[str, Any], facts: ModelFacts) -> Iterator[Flaw]:
    messages = params.get("messages")
    if messages:
        yield from conversation_check.system_turns(messages, facts.name, taken=facts.system_turns)
        # A token from a refusal authorizes one prefill on any model (SDK: fallback_credit_token).
        if not params.get("fallback_credit_token"):
            thinks = (params.get("thinking") or {}).get("type") == "enabled"
            yield from conversation_check.prefill(messages, facts.name, taken=facts.prefill, thinks=thinks)


def _output(params: Mapping[str, Any], facts: ModelFacts, catalogue: Catalogue) -> Iterator[Flaw]:
    if params.get("max_tokens", 0) > facts.max_output and facts.long_output is LongOutput.NO:
        would_do = ", ".join(catalogue.long_output_models())
        said = f"{facts.name} writes at most {facts.max_output:,} tokens; up to {LONGEST_OUTPUT:,} do: {would_do}"
        yield Flaw("max_tokens", said)


def _length(params: Mapping[str, Any], media: Sequence[Medium], facts: ModelFacts, window: int) -> Iterator[Flaw]:
    if facts.known and tokens_at_least(params, media, window) > window:
        said = f"the prompt is surely longer than the {window:,} tokens that {facts.name} reads; shorten or part it"
        yield Flaw("messages", said)


def _probable_length(params: Mapping[str, Any], facts: ModelFacts, window: int) -> Iterator[Flaw]:
    if facts.known and about_too_long(params, window):
        said = f"the prompt is probably longer than the {window:,} tokens that {facts.name} reads"
        yield Flaw("messages", f"{said}; if it is, the request comes back as an error, unbilled")


def _needs_300k(max_tokens: int, facts: ModelFacts) -> bool:
    # The cap of a stranger is a guess: most recent models write 128K without a beta, and one that does not know
    # this beta might refuse the header, and with it the whole batch. So up to there it is left out.
    return max_tokens > (facts.max_output if facts.known else max(facts.max_output, _USUAL_CAP))


def _thinking(params: Mapping[str, Any], facts: ModelFacts, betas: tuple[str, ...]) -> Iterator[Flaw]:
    thinking = params.get("thinking") or {}
    effort = (params.get("output_config") or {}).get("effort")
    kind = thinking.get("type")
    if effort is not None and effort not in facts.efforts:
        would_do = ", ".join(facts.efforts)
        rest = f"it takes {would_do}" if would_do else 'use thinking: {"type": "enabled", "budget_tokens": …}'
        yield Flaw("output_config.effort", f"{facts.name} does not take the effort {effort}; {rest}")
    if kind in facts.refused_thinking:
        would_do = " or ".join(each for each in _THINKING if each not in facts.refused_thinking)
        yield Flaw("thinking.type", f"{facts.name} does not take {kind}; {would_do} would do, or leave thinking out")
    elif kind == "enabled":
        yield from _thinking_budget(params, betas)
    elif kind not in {None, "adaptive"} and facts.modest_without_thinking and effort in _HARD_EFFORTS:
        yield Flaw("output_config.effort", f"{facts.name} takes {effort!r} only while it thinks; use high or less")


def _thinking_budget(params: Mapping[str, Any], betas: tuple[str, ...]) -> Iterator[Flaw]:
    interleaved = any(beta.startswith(_INTERLEAVED) for beta in betas)
    if "max_tokens" in params and params["thinking"]["budget_tokens"] >= params["max_tokens"] and not interleaved:
        yield Flaw("thinking.budget_tokens", f"must be less than max_tokens, which is {params['max_tokens']:,}")


def _tool_choice(params: Mapping[str, Any], facts: ModelFacts) -> Iterator[Flaw]:
    choice = params.get("tool_choice") or {}
    kind = choice.get("type")
    if kind not in _FORCED:
        return
    if not facts.forced_tools:
        yield Flaw("tool_choice", f'{facts.name} cannot be forced to use a tool; use {{"type": "auto"}}')
    elif (params.get("thinking") or {}).get("type") == "enabled":
        said = 'a tool cannot be forced while thinking has a budget; use {"type": "auto"}, or leave thinking out'
        yield Flaw("tool_choice", said)
    if "tools" not in params:
        yield Flaw("tool_choice", "forces a tool, and tools has none; add tools, or leave it out")
    elif kind == "tool" and choice["name"] not in (names := list(_tool_names(params["tools"]))) and None not in names:
        has = ", ".join(map(str, names[:_MOST_SHOWN])) + (" …" if len(names) > _MOST_SHOWN else "")
        yield Flaw("tool_choice.name", f"tools has no {shown(choice['name'])}; it has {has}")


def _tool_names(tools: Sequence[Mapping[str, Any]]) -> Iterator[str | None]:
    """Their names; None for a set of tools, whose names only the API knows."""
    yield from (tool.get("name") for tool in tools)


def _sampling(params: Mapping[str, Any], facts: ModelFacts, catalogue: Catalogue) -> Iterator[Flaw]:
    said = [key for key in _SAMPLING if key in params]
    if said and not facts.sampling:
        would_do = ", ".join(catalogue.sampling_models())
        for key in said:
            yield Flaw(key, f"{facts.name} takes none, under any version of the API; leave it out, or use {would_do}")
        return
    if facts.one_sampling and {"temperature", "top_p"}.issubset(said):
        yield Flaw("top_p", f"{facts.name} does not take it beside temperature; keep one of them")
    if (params.get("thinking") or {}).get("type") in {"enabled", "adaptive"}:
        yield from _sampling_while_thinking(params)


def _sampling_while_thinking(params: Mapping[str, Any]) -> Iterator[Flaw]:
    if params.get("temperature", 1) != 1:
        yield Flaw("temperature", "must be 1 while the model thinks; leave it out, or thinking")
    if "top_k" in params:
        yield Flaw("top_k", "is not possible while the model thinks; leave it out, or thinking")
    if params.get("top_p", 1) < _LEAST_TOP_P:
        yield Flaw("top_p", f"must be at least {_LEAST_TOP_P} while the model thinks; leave it out, or thinking")


def _region(params: Mapping[str, Any], facts: ModelFacts) -> Iterator[Flaw]:
    if params.get("inference_geo") is not None and not facts.regions:
        said = f"{facts.name} cannot be told where to run; leave it out, or use a model of 4.6 or later"
        yield Flaw("inference_geo", said)

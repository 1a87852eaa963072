"""Whether a model takes what a request asks of it: caps, betas, thinking, prefill; `catalogue` has the facts.

What is wrong here comes back from the API per request and hours later, so it is said before anything is spent.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from batchd.claude.catalogue import LONGEST_OUTPUT, Catalogue, LongOutput, ModelFacts
from batchd.claude.params_check import THINKING
from batchd.model import BETA_300K
from batchd.text.strictjson import Flaw, Json, shown

_MOST_BREAKPOINTS: Final = 4
_USUAL_CAP: Final = 128_000
_HARD_EFFORTS: Final = ("xhigh", "max")
_INTERLEAVED: Final = "interleaved-thinking-"
"""With this beta a thinking budget may exceed max_tokens (docs: extended thinking)."""


class Fit(NamedTuple):
    """What becomes of a request at its model."""

    flaws: list[Flaw]
    cautions: list[Flaw]
    betas: tuple[str, ...]
    """Those that were asked for and those that it needs, sorted."""


def fit(params: Mapping[str, Json], betas: tuple[str, ...], catalogue: Catalogue) -> Fit:
    """Check a whole request, whose parameters each have the right shape, against its model.

    Args:
        params: Everything that will be sent, `model`, `max_tokens` and `messages` among it.
        betas: Those that were asked for, sorted.
        catalogue: What is known about models.
    """
    facts = catalogue.find(params["model"])
    if facts.retired:
        said = f"{facts.name} was retired on {facts.retired}; a current one is claude-sonnet-5-5"
        return Fit([Flaw("model", said)], [], betas)
    flaws = [*_output(params["max_tokens"], facts, catalogue), *_thinking(params, facts, betas)]
    flaws.extend(_conversation(params, facts))
    choice = params.get("tool_choice")
    if not facts.forced_tools and choice and choice["type"] in {"any", "tool"}:
        flaws.append(Flaw("tool_choice", f'{facts.name} cannot be forced to use a tool; use {{"type": "auto"}}'))
    if _needs_300k(params["max_tokens"], facts) and BETA_300K not in betas:
        betas = tuple(sorted((*betas, BETA_300K)))
    return Fit(flaws, list(_cautions(params["max_tokens"], facts)), betas)


def too_many_breakpoints(body: bytes) -> Flaw | None:
    """Count the cache breakpoints of a request, wherever in it they stand.

    Args:
        body: The whole of it, as compact JSON; within a string the quote before the colon would be escaped.
    """
    count = body.count(b'"cache_control":{')
    if count <= _MOST_BREAKPOINTS:
        return None
    return Flaw("", f"{count} cache_control breakpoints; at most {_MOST_BREAKPOINTS} are possible, keep the last ones")


def _output(max_tokens: int, facts: ModelFacts, catalogue: Catalogue) -> Iterator[Flaw]:
    if max_tokens > facts.max_output and facts.long_output is LongOutput.NO:
        would_do = ", ".join(catalogue.long_output_models())
        said = f"{facts.name} writes at most {facts.max_output:,} tokens; up to {LONGEST_OUTPUT:,} do: {would_do}"
        yield Flaw("max_tokens", said)


def _needs_300k(max_tokens: int, facts: ModelFacts) -> bool:
    # The cap of a stranger is a guess: most recent models write 128K without a beta, and one that does not know
    # this beta might refuse the header, and with it the whole batch. So up to there it is left out.
    return max_tokens > (facts.max_output if facts.known else max(facts.max_output, _USUAL_CAP))


def _cautions(max_tokens: int, facts: ModelFacts) -> Iterator[Flaw]:
    name = shown(facts.name)
    if not facts.known:
        yield Flaw(
            "model", f"{name} is not known here, so neither its limits nor its price are; settings can tell them"
        )
    if facts.retires:
        yield Flaw("model", f"{name} retires on {facts.retires}; requests after that will fail")
    if max_tokens > facts.max_output and facts.long_output is LongOutput.UNKNOWN:
        said = f"whether {name} writes more than {facts.max_output:,} tokens is not known here"
        yield Flaw("max_tokens", f"{said}; if not, the request comes back as an error, unbilled")


def _thinking(params: Mapping[str, Json], facts: ModelFacts, betas: tuple[str, ...]) -> Iterator[Flaw]:
    thinking = params.get("thinking")
    if not thinking:
        return
    kind = thinking["type"]
    if kind in facts.refused_thinking:
        would_do = " or ".join(each for each in THINKING if each not in facts.refused_thinking)
        yield Flaw("thinking.type", f"{facts.name} does not take {kind}; {would_do} would do, or leave thinking out")
    elif kind == "enabled":
        interleaved = any(beta.startswith(_INTERLEAVED) for beta in betas)
        if thinking["budget_tokens"] >= params["max_tokens"] and not interleaved:
            yield Flaw("thinking.budget_tokens", f"must be less than max_tokens, which is {params['max_tokens']:,}")
    elif kind != "adaptive" and facts.modest_without_thinking:
        effort = (params.get("output_config") or {}).get("effort")
        if effort in _HARD_EFFORTS:
            yield Flaw("output_config.effort", f"{facts.name} takes {effort!r} only while it thinks; use high or less")


def _conversation(params: Mapping[str, Json], facts: ModelFacts) -> Iterator[Flaw]:
    messages: list[dict[str, Json]] = params["messages"]
    if not facts.system_turns:
        for index, message in enumerate(messages):
            if message["role"] == "system":
                said = f"{facts.name} takes no system turns; put the text into system, beside messages"
                yield Flaw(f"messages[{index}].role", said)
    last = messages[-1]
    # A token from a refusal authorizes one prefill on any model (SDK: fallback_credit_token).
    if last["role"] == "assistant" and _is_prefill(last["content"]) and not params.get("fallback_credit_token"):
        place = f"messages[{len(messages) - 1}]"
        if not facts.prefill:
            yield Flaw(place, f"{facts.name} takes no beginning of its own answer; end with a message of the user")
        elif isinstance(last["content"], str) and last["content"] != last["content"].rstrip():
            yield Flaw(f"{place}.content", "the beginning of an answer must not end in white space; cut it off")


def _is_prefill(content: str | list[dict[str, Json]]) -> bool:
    """Tell the beginning of an answer from a turn that paused at a tool and is to be taken up again as it is."""
    return isinstance(content, str) or all(
        block["type"] in {"text", "thinking", "redacted_thinking"} for block in content
    )

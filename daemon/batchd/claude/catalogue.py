"""What is known about Claude's models, as far as it decides whether a request can succeed.

Sources, as stored in October 2026: for caps, windows and 300K output docs "Models overview" and "Batch processing"
(platform.claude.com/docs/en/build-with-claude/batch-processing); for `thinking` the table "Thinking support, defaults,
and rejected configurations by model" (…/build-with-claude/thinking-troubleshooting) and the pages "What's new" of
Opus 5.5 and Sonnet 5.5, which also tell of forced tool use; for `system` turns "Mid-conversation system messages" and
the API's own refusal, `role 'system' is not supported on this model`; for efforts docs "Effort"; for `temperature` and
its like docs "Versioning" and the migration guides; for retirements `DEPRECATED_MODELS` of the anthropic SDK 2.14.0 and
docs "Model deprecations". `GET /v1/models` does not tell of 300K output, hence a list.

Where the sources are silent, nothing is refused: a wrong refusal costs the user more than a late error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from batchd.model import DEFAULT_MODEL

LONGEST_OUTPUT: Final = 300_000
"""Tokens of output that no model exceeds, with every beta there is."""

FAMILIES: Final = ("opus", "sonnet", "haiku")
"""Names that stand for the newest model of theirs."""

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")

_DATED: Final = re.compile(r"-\d{8}\Z")


class LongOutput(StrEnum):
    """Whether a model takes the beta that raises `max_tokens` to 300,000."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What one model takes and refuses; the defaults are what is assumed of a model nobody here knows."""

    name: str
    """The id without its date: what messages call it."""
    max_output: int = 64_000
    """Cap of `max_tokens` without a beta, in tokens."""
    window: int = 200_000
    """Context window, in tokens: prompt and answer together."""
    long_output: LongOutput = LongOutput.UNKNOWN
    known: bool = False
    """False: not in the table, so what stands here is a guess on the safe side."""
    prefill: bool = True
    """Whether a conversation may end with the beginning of the assistant's answer."""
    system_turns: bool = True
    """Whether `messages` may hold turns of the role `system`."""
    forced_tools: bool = True
    """Whether `tool_choice` may force the use of a tool (`any`, `tool`)."""
    refused_thinking: frozenset[str] = frozenset()
    """The values of `thinking.type` that come back as an error."""
    modest_without_thinking: bool = False
    """Whether the efforts `xhigh` and `max` are refused when thinking is turned off."""
    image_tokens: int = 4_784
    """What a picture costs at the most, in tokens (docs: vision); 1,568 before 4.7."""
    efforts: tuple[str, ...] = EFFORTS
    """The values of `output_config.effort` that it takes."""
    sampling: bool = True
    """Whether it takes `temperature`, `top_p` and `top_k`, under version 2023-06-01 of the API."""
    one_sampling: bool = False
    """Whether it takes only one of `temperature` and `top_p`."""
    regions: bool = True
    """Whether `inference_geo` may choose where it runs."""
    retired: str = ""
    """Since when the API no longer has it; empty while it has."""
    retires: str = ""
    """When it will be gone, if that has been announced."""


class ModelOverride(Protocol):
    """What the settings say about a model, `[models."claude-x-9"]`; None leaves what is known."""

    @property
    def max_output(self) -> int | None:
        """Cap of `max_tokens` without a beta, in tokens."""

    @property
    def long_output(self) -> bool | None:
        """Whether it takes the 300K beta."""

    @property
    def window(self) -> int | None:
        """Context window, in tokens."""


_ONLY_ADAPTIVE: Final = frozenset({"enabled", "between_tools"})
_ALWAYS_THINKS: Final = frozenset({"enabled", "between_tools", "disabled"})
_MILLION: Final = 1_000_000


def _since_4_6(name: str, **facts: object) -> ModelFacts:
    """Facts of a model of the 4.6 generation or later: 128K out, a window of a million, no prefill."""
    common = ModelFacts(name, 128_000, _MILLION, LongOutput.YES, known=True, prefill=False, sampling=False)
    return replace(common, **facts)  # type: ignore[arg-type]  # replace() checks the names when this module loads


def _the_4_6(name: str) -> ModelFacts:
    """Facts of a model of the 4.6 generation: the last that takes a temperature."""
    return _since_4_6(
        name,
        refused_thinking=frozenset({"between_tools"}),
        system_turns=False,
        efforts=("low", "medium", "high", "max"),
        sampling=True,
        image_tokens=1_568,
    )


def _the_4_5(name: str, retires: str = "", efforts: tuple[str, ...] = ()) -> ModelFacts:
    """Facts of a model of the 4.5 generation: 64K out, a window of 200K, thinking with a budget only."""
    return ModelFacts(
        name,
        long_output=LongOutput.NO,
        known=True,
        system_turns=False,
        refused_thinking=frozenset({"adaptive", "between_tools"}),
        image_tokens=1_568,
        efforts=efforts,
        one_sampling=not efforts,
        regions=False,
        retires=retires,
    )


_CURRENT: Final = (
    _since_4_6("claude-opus-5-5", refused_thinking=_ALWAYS_THINKS, forced_tools=False),
    _since_4_6("claude-opus-5", refused_thinking=_ONLY_ADAPTIVE, modest_without_thinking=True),
    _since_4_6("claude-opus-4-8", refused_thinking=_ONLY_ADAPTIVE),
    _since_4_6("claude-opus-4-7", refused_thinking=_ONLY_ADAPTIVE, system_turns=False),
    _the_4_6("claude-opus-4-6"),
    _since_4_6(
        "claude-sonnet-5-5",
        refused_thinking=frozenset({"enabled", "disabled"}),
        forced_tools=False,
        modest_without_thinking=True,
    ),
    _since_4_6("claude-sonnet-5", refused_thinking=_ONLY_ADAPTIVE, system_turns=False),
    _the_4_6("claude-sonnet-4-6"),
    _since_4_6("claude-haiku-5-5", refused_thinking=_ONLY_ADAPTIVE, modest_without_thinking=True),
    # The 5.2 are newer than every stored page; all that holds for sure is what holds for "4.7 and later".
    _since_4_6("claude-fable-5-2", long_output=LongOutput.UNKNOWN, refused_thinking=frozenset({"enabled"})),
    _since_4_6("claude-mythos-5-2", long_output=LongOutput.UNKNOWN, refused_thinking=frozenset({"enabled"})),
    _since_4_6("claude-fable-5-1", long_output=LongOutput.NO, refused_thinking=_ALWAYS_THINKS, forced_tools=False),
    _since_4_6("claude-mythos-5-1", long_output=LongOutput.NO, refused_thinking=_ALWAYS_THINKS),
    _since_4_6("claude-fable-5", long_output=LongOutput.NO, refused_thinking=_ALWAYS_THINKS),
    _since_4_6("claude-mythos-5", long_output=LongOutput.NO, refused_thinking=_ALWAYS_THINKS),
    _the_4_5("claude-opus-4-5", retires="22 January 2027", efforts=("low", "medium", "high")),
    _the_4_5("claude-sonnet-4-5", retires="30 November 2026"),
    _the_4_5("claude-haiku-4-5"),
    # The sources disagree, and the one that still has it may be right: no refusal.
    ModelFacts("claude-mythos-preview", known=True, retires="30 June 2026, by some sources"),
)

_RETIRED: Final = {
    "claude-1": "6 November 2024",
    "claude-1.0": "6 November 2024",
    "claude-1.1": "6 November 2024",
    "claude-1.2": "6 November 2024",
    "claude-1.3": "6 November 2024",
    "claude-instant-1": "6 November 2024",
    "claude-instant-1.0": "6 November 2024",
    "claude-instant-1.1": "6 November 2024",
    "claude-instant-1.2": "6 November 2024",
    "claude-2": "21 July 2025",
    "claude-2.0": "21 July 2025",
    "claude-2.1": "21 July 2025",
    "claude-3-sonnet": "21 July 2025",
    "claude-3-opus": "5 January 2026",
    "claude-3-haiku": "20 April 2026",
    "claude-3-5-sonnet": "28 October 2025",
    "claude-3-5-haiku": "19 February 2026",
    "claude-3-7-sonnet": "19 February 2026",
    "claude-opus-4": "15 June 2026",
    "claude-opus-4-0": "15 June 2026",
    "claude-sonnet-4": "15 June 2026",
    "claude-sonnet-4-0": "15 June 2026",
    "claude-opus-4-1": "5 August 2026",
}
"""By the id without its date; `-latest` is the same model."""


def _table() -> Mapping[str, ModelFacts]:
    facts = {each.name: each for each in _CURRENT}
    facts.update({name: ModelFacts(name, retired=date) for name, date in _RETIRED.items()})
    return MappingProxyType(facts)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models that are known, with what the settings say about them on top."""

    models: Mapping[str, ModelFacts] = field(default_factory=_table)
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names of the settings that stand for models; those of the families stand for the newest of each."""

    def resolve(self, name: str) -> str:
        """The model that a name stands for; the name itself where it stands for none."""
        name = self.aliases.get(name, name)
        return self.newest(name) if name in FAMILIES and name not in self.models else name

    def find(self, model: str) -> ModelFacts:
        """Look a model up; never fails.

        Args:
            model: An id, dated (`claude-sonnet-4-5-20250929`) or not.

        Returns:
            Its facts, those of the id without its date, or for a stranger cautious ones with `known` false.
        """
        found = self.models.get(model) or self.models.get(_DATED.sub("", model))
        if found is None and (before := self.models.get(model.removesuffix("-latest"))) and before.retired:
            found = before
        return found or ModelFacts(model)

    def with_overrides(self, overrides: Mapping[str, ModelOverride]) -> "Catalogue":
        """Put what the settings say over what is known; a model named there counts as known and not as retired.

        Args:
            overrides: By model id; one without a date holds for its dated ids as well.
        """
        models = dict(self.models)
        for model, override in overrides.items():
            facts = self.find(model)
            long_output = facts.long_output
            if override.long_output is not None:
                long_output = LongOutput.YES if override.long_output else LongOutput.NO
            models[model] = replace(
                facts,
                name=model,
                max_output=facts.max_output if override.max_output is None else override.max_output,
                window=facts.window if override.window is None else override.window,
                long_output=long_output,
                known=True,
                retired="",
            )
        return replace(self, models=MappingProxyType(models))

    def with_aliases(self, aliases: Mapping[str, str]) -> "Catalogue":
        """Let names stand for models."""
        return replace(self, aliases=aliases)

    def newest(self, family: str) -> str:
        """Name the newest model of a family such as `sonnet`, or else the default of all; for messages."""
        return next((name for name in self.models if name.startswith(f"claude-{family}-")), DEFAULT_MODEL)

    def sampling_models(self) -> tuple[str, ...]:
        """Name the models that surely take a temperature, for messages that say what would do."""
        return tuple(n for n, facts in self.models.items() if facts.known and facts.sampling and not facts.retires)

    def long_output_models(self) -> tuple[str, ...]:
        """Name the models that surely write up to 300,000 tokens, for messages that say what would do."""
        return tuple(name for name, facts in self.models.items() if facts.long_output is LongOutput.YES)

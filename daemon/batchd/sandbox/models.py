"""The models that the sandbox knows, with what bounds their answers.

Source: docs "models overview" and "batch processing", as of November 2026.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

BETA_300K = "output-300k-2026-03-24"
"""With this on the create call, models of `long_output` may write up to `LONG_OUTPUT` tokens."""
LONG_OUTPUT = 300_000

_DATED = re.compile(r"-20\d{6}$")


@dataclass(frozen=True, slots=True)
class Model:
    """One model."""

    id: str
    name: str
    max_output: int = 128_000
    """Tokens."""
    window: int = 1_000_000
    """Tokens, the answer included."""
    long_output: bool = False
    """Whether `BETA_300K` does anything for it. Unknown for Fable and Mythos 5.2, where nothing is refused."""
    prefill: bool = False
    """Whether a conversation may end with an assistant turn: not since 4.6."""
    retires_at: str | None = None
    thinking: tuple[str, ...] = ("adaptive", "disabled")
    """The values of `thinking.type` that it takes."""
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    modest: bool = False
    """Whether the two hardest efforts need thinking."""
    forced_tools: bool = True
    system_turns: bool = True
    sampling: bool = False
    """Whether it takes `temperature` and its like, under version 2023-06-01: up to 4.6."""
    one_sampling: bool = False
    """Whether it takes either `temperature` or `top_p`."""
    regions: bool = True
    """Whether `inference_geo` may be set: since 4.6."""

    def cap(self, betas: frozenset[str]) -> int:
        """The largest `max_tokens` it takes.

        Args:
            betas: Those of the call, which count in a batch only.
        """
        return LONG_OUTPUT if self.long_output and BETA_300K in betas else self.max_output

    def reads(self, betas: frozenset[str]) -> int:
        """Its context window, in tokens, with the betas of the call."""
        return LONG_WINDOW if any(beta.startswith(LONG_CONTEXT) for beta in betas) else self.window


LONG_CONTEXT, LONG_WINDOW = "context-1m-", 1_000_000
"""With a beta of this name every model reads so many tokens."""

_ALL_BUT_A_BUDGET = ("adaptive", "disabled", "between_tools")
_UNTIL_4_6 = ("adaptive", "enabled", "disabled")


def _the_4_6(name: str, shown: str) -> Model:
    efforts = ("low", "medium", "high", "max")
    return Model(name, shown, long_output=True, thinking=_UNTIL_4_6, efforts=efforts, system_turns=False, sampling=True)


def _the_4_5(name: str, shown: str, efforts: tuple[str, ...] = (), retires_at: str | None = None) -> Model:
    return Model(
        name,
        shown,
        64_000,
        200_000,
        prefill=True,
        retires_at=retires_at,
        thinking=("enabled", "disabled"),
        efforts=efforts,
        system_turns=False,
        sampling=True,
        one_sampling=not efforts,
        regions=False,
    )


MODELS: Mapping[str, Model] = {
    model.id: model
    for model in (
        Model("claude-opus-5-5", "Claude Opus 5.5", long_output=True, thinking=("adaptive",), forced_tools=False),
        Model(
            "claude-sonnet-5-5",
            "Claude Sonnet 5.5",
            long_output=True,
            thinking=("adaptive", "between_tools"),
            modest=True,
            forced_tools=False,
        ),
        Model("claude-haiku-5-5", "Claude Haiku 5.5", long_output=True, modest=True),
        Model(
            "claude-fable-5-2", "Claude Fable 5.2", long_output=True, thinking=("adaptive", "disabled", "between_tools")
        ),
        Model(
            "claude-mythos-5-2",
            "Claude Mythos 5.2",
            long_output=True,
            thinking=("adaptive", "disabled", "between_tools"),
        ),
        Model("claude-fable-5-1", "Claude Fable 5.1", thinking=("adaptive",), forced_tools=False),
        Model("claude-mythos-5-1", "Claude Mythos 5.1", thinking=("adaptive",)),
        Model("claude-fable-5", "Claude Fable 5", thinking=("adaptive",)),
        Model("claude-mythos-5", "Claude Mythos 5", thinking=("adaptive",)),
        Model("claude-opus-5", "Claude Opus 5", long_output=True, modest=True),
        Model("claude-sonnet-5", "Claude Sonnet 5", long_output=True, system_turns=False),
        Model("claude-opus-4-8", "Claude Opus 4.8", long_output=True),
        Model("claude-opus-4-7", "Claude Opus 4.7", long_output=True, system_turns=False),
        _the_4_6("claude-opus-4-6", "Claude Opus 4.6"),
        _the_4_6("claude-sonnet-4-6", "Claude Sonnet 4.6"),
        _the_4_5("claude-opus-4-5", "Claude Opus 4.5", ("low", "medium", "high"), "2027-01-22T00:00:00Z"),
        _the_4_5("claude-haiku-4-5", "Claude Haiku 4.5"),
        _the_4_5("claude-sonnet-4-5", "Claude Sonnet 4.5", retires_at="2026-11-30T00:00:00Z"),
    )
}
"""By id, newest first."""


def find(name: str) -> Model | None:
    """The model of this name, which may carry a date (`claude-haiku-4-5-20251001`)."""
    return MODELS.get(name) or MODELS.get(_DATED.sub("", name))


def describe(model: Model) -> dict[str, object]:
    """The model as `GET /v1/models` shows it, which says nothing about 300K."""
    yes, no = {"supported": True}, {"supported": False}
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "deprecated" if model.retires_at else "active",
        "deprecated_at": None,
        "retires_at": model.retires_at,
        "line": model.id.split("-")[1],
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
        "capabilities": {
            "batch": yes,
            "citations": yes,
            "code_execution": yes,
            "context_management": {"supported": True},
            "effort": {"supported": True, "low": yes, "medium": yes, "high": yes, "max": no},
            "image_input": yes,
            "pdf_input": yes,
            "server_tools": {"supported": True, "code_execution": yes, "web_search": yes},
            "structured_outputs": yes,
            "thinking": {
                "supported": True,
                "types": {"adaptive": yes, "between_tools": yes, "disabled": yes, "enabled": yes},
            },
        },
    }

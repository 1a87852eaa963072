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
    """Whether `BETA_300K` does anything for it. Unknown for Fable and Mythos 5.2: the strict answer is no."""
    prefill: bool = False
    """Whether a conversation may end with an assistant turn: not since 4.6."""
    retires_at: str | None = None

    def cap(self, betas: frozenset[str]) -> int:
        """The largest `max_tokens` it takes.

        Args:
            betas: Those of the call, which count in a batch only.
        """
        return LONG_OUTPUT if self.long_output and BETA_300K in betas else self.max_output


MODELS: Mapping[str, Model] = {
    model.id: model
    for model in (
        Model("claude-opus-5-5", "Claude Opus 5.5", long_output=True),
        Model("claude-sonnet-5-5", "Claude Sonnet 5.5", long_output=True),
        Model("claude-haiku-5-5", "Claude Haiku 5.5", long_output=True),
        Model("claude-fable-5-2", "Claude Fable 5.2"),
        Model("claude-mythos-5-2", "Claude Mythos 5.2"),
        Model("claude-fable-5-1", "Claude Fable 5.1"),
        Model("claude-mythos-5-1", "Claude Mythos 5.1"),
        Model("claude-fable-5", "Claude Fable 5"),
        Model("claude-mythos-5", "Claude Mythos 5"),
        Model("claude-opus-5", "Claude Opus 5", long_output=True),
        Model("claude-sonnet-5", "Claude Sonnet 5", long_output=True),
        Model("claude-opus-4-8", "Claude Opus 4.8", long_output=True),
        Model("claude-opus-4-7", "Claude Opus 4.7", long_output=True),
        Model("claude-opus-4-6", "Claude Opus 4.6", long_output=True),
        Model("claude-sonnet-4-6", "Claude Sonnet 4.6", long_output=True),
        Model("claude-opus-4-5", "Claude Opus 4.5", 64_000, 200_000, prefill=True),
        Model("claude-haiku-4-5", "Claude Haiku 4.5", 64_000, 200_000, prefill=True),
        Model(
            "claude-sonnet-4-5", "Claude Sonnet 4.5", 64_000, 200_000, prefill=True, retires_at="2026-11-30T00:00:00Z"
        ),
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

"""A misspelling is told from another model."""

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.model_names import meant, on_other_platforms

KNOWN = Catalogue().models


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonet-5-5", "claude-sonnet-5-5"),
        ("claude-opus-5.5", "claude-opus-5-5"),
        ("claude_opus_5_5", "claude-opus-5-5"),
        ("Claude Sonnet 5.5", "claude-sonnet-5-5"),
        ("CLAUDE-HAIKU-5-5", "claude-haiku-5-5"),
        ("cluade-opus-4-8", "claude-opus-4-8"),
        ("claude-hiaku-4-5", "claude-haiku-4-5"),
        ("claude-5-5-sonnet", "claude-sonnet-5-5"),
        ("claude-opus-46", "claude-opus-4-6"),
        ("sonnet-5.5", "claude-sonnet-5-5"),
        ("opus", "claude-opus-5-5"),
        ("haiku", "claude-haiku-5-5"),
        ("claude-sonnet", "claude-sonnet-5-5"),
        ("claude-opus-latest", "claude-opus-5-5"),
        ("claude-sonnet-5-5-latest", "claude-sonnet-5-5"),
        ("claude-sonnet-4.5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-5-5[1m]", "claude-sonnet-5-5"),
        ("claude-3.5-sonnet", "claude-3-5-sonnet"),
        ("claude-sonnet-3-5", "claude-3-5-sonnet"),
    ],
)
def test_another_spelling_means_the_model(name: str, model: str) -> None:
    assert meant(name, KNOWN) == model


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-6", "claude-sonnet-5-6", "claude-fable-6", "gpt-4o", "gpt-4o-mini", "claude", "claude-next",
        "my-claude-sonnet-5-5", "claude-sonnet-5-5-eu", "llama-4-5", "gemini-2.5-pro", "o3", "default", "", "5-5", "ü",
    ],
)  # fmt: skip
def test_a_newer_version_or_a_name_of_its_own_is_no_misspelling(name: str) -> None:
    assert meant(name, KNOWN) == ""


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("anthropic/claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("anthropic/claude-sonnet-4.6", "claude-sonnet-4-6"),
        ("openrouter/anthropic/claude-opus-5.5:beta", "claude-opus-5-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("bedrock/eu.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("vertex_ai/claude-opus-4-8@default", "claude-opus-4-8"),
        ("anthropic/claude-next", ""),
        ("claude-opus-6", ""),
        ("gpt-4o-mini", ""),
    ],
)
def test_another_platforms_name_is_the_apis_in_other_clothes(name: str, model: str) -> None:
    assert on_other_platforms(name, KNOWN) == model

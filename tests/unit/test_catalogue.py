import pytest
from batchd.claude.catalogue import Catalogue, LongOutput
from batchd.settings import ModelOverride

CATALOGUE = Catalogue()


@pytest.mark.parametrize(
    ("model", "max_output", "window", "long_output", "prefill"),
    [
        ("claude-opus-5-5", 128_000, 1_000_000, "yes", False),
        ("claude-opus-4-6", 128_000, 1_000_000, "yes", False),
        ("claude-sonnet-4-6", 128_000, 1_000_000, "yes", False),
        ("claude-haiku-5-5", 128_000, 1_000_000, "yes", False),
        ("claude-fable-5-2", 128_000, 1_000_000, "unknown", False),
        ("claude-mythos-5-1", 128_000, 1_000_000, "no", False),
        ("claude-opus-4-5", 64_000, 200_000, "no", True),
        ("claude-haiku-4-5", 64_000, 200_000, "no", True),
    ],
)
def test_facts_are_those_of_the_table_in_api_md(
    model: str, max_output: int, window: int, long_output: str, *, prefill: bool
) -> None:
    facts = CATALOGUE.find(model)
    assert (facts.max_output, facts.window, facts.long_output, facts.prefill, facts.known) == (
        max_output,
        window,
        long_output,
        prefill,
        True,
    )


@pytest.mark.parametrize("model", ["claude-sonnet-4-6-20260101", "claude-haiku-4-5-20251001"])
def test_a_dated_id_is_its_model(model: str) -> None:
    assert CATALOGUE.find(model) == CATALOGUE.find(model[:-9])


def test_a_stranger_gets_cautious_facts() -> None:
    facts = CATALOGUE.find("claude-x-9")
    assert not facts.known
    assert (facts.max_output, facts.window, facts.long_output) == (64_000, 200_000, LongOutput.UNKNOWN)
    assert facts.refused_thinking == frozenset()


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-20241022", "claude-3-7-sonnet-latest", "claude-opus-4-20250514"])
def test_retired_models_are_known_as_such(model: str) -> None:
    assert CATALOGUE.find(model).retired


def test_nine_models_write_300k() -> None:
    assert len(CATALOGUE.long_output_models()) == 9


def test_an_override_makes_a_stranger_known() -> None:
    overrides = {"claude-x-9": ModelOverride(max_output=128_000, long_output=True, window=1_000_000)}
    catalogue = CATALOGUE.with_overrides(overrides)
    facts = catalogue.find("claude-x-9-20270101")
    assert (facts.known, facts.max_output, facts.long_output, facts.window) == (True, 128_000, "yes", 1_000_000)
    assert "claude-x-9" in catalogue.long_output_models()
    assert not CATALOGUE.find("claude-x-9").known


def test_an_override_leaves_what_it_does_not_name() -> None:
    facts = CATALOGUE.with_overrides({"claude-fable-5-2": ModelOverride(long_output=False)}).find("claude-fable-5-2")
    assert (facts.long_output, facts.max_output, facts.prefill) == ("no", 128_000, False)


def test_an_override_brings_a_retired_model_back_for_gateways_that_still_have_it() -> None:
    catalogue = CATALOGUE.with_overrides({"claude-3-5-haiku": ModelOverride()})
    assert not catalogue.find("claude-3-5-haiku-20241022").retired

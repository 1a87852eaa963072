"""The prices of today's models as one release of genai-prices has them, so that it need not be imported (0.15 s).

Pure. Only a copy: where another release is installed, that is asked. A test compares all of it, and says what it should
be after an update.
"""

from collections.abc import Mapping
from typing import Final

RELEASE: Final = "0.2.3"
"""Of genai-prices."""

PRICES: Final[Mapping[str, tuple[tuple[int, int, int, int, int, int], ...]]] = {
    "claude-opus-5-5": ((-1, 4_000_000, 20_000_000, 200_000, 5_000_000, 8_000_000),),
    "claude-opus-5": ((-1, 5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000),),
    "claude-opus-4-8": ((-1, 5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000),),
    "claude-opus-4-7": ((-1, 5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000),),
    "claude-opus-4-6": ((-1, 5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000),),
    "claude-sonnet-5-5": ((-1, 2_000_000, 10_000_000, 100_000, 2_500_000, 4_000_000),),
    "claude-sonnet-5": ((-1, 2_000_000, 10_000_000, 200_000, 2_500_000, 4_000_000),),
    "claude-sonnet-4-6": ((-1, 3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000),),
    "claude-haiku-5-5": (
        (100_000, 500_000, 2_500_000, 50_000, 625_000, 1_000_000),
        (-1, 100_000, 500_000, 10_000, 125_000, 200_000),
    ),
    "claude-fable-5-2": ((-1, 8_000_000, 40_000_000, 200_000, 10_000_000, 16_000_000),),
    "claude-mythos-5-2": ((-1, 8_000_000, 40_000_000, 200_000, 10_000_000, 16_000_000),),
    "claude-fable-5-1": ((-1, 10_000_000, 50_000_000, 250_000, 12_500_000, 20_000_000),),
    "claude-mythos-5-1": ((-1, 10_000_000, 50_000_000, 250_000, 12_500_000, 20_000_000),),
    "claude-fable-5": ((-1, 10_000_000, 50_000_000, 1_000_000, 12_500_000, 20_000_000),),
    "claude-mythos-5": ((-1, 10_000_000, 50_000_000, 1_000_000, 12_500_000, 20_000_000),),
    "claude-opus-4-5": ((-1, 5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000),),
    "claude-sonnet-4-5": (
        (200_000, 6_000_000, 22_500_000, 600_000, 7_500_000, 12_000_000),
        (-1, 3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000),
    ),
    "claude-haiku-4-5": ((-1, 1_000_000, 5_000_000, 100_000, 1_250_000, 2_000_000),),
}
"""By model: for prompts of more than so many tokens, longest first, what a token costs in picodollars at the
synchronous price: input, output, read from the cache, written to it for five minutes, and for an hour. In a batch each
costs half."""

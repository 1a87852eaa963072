"""What lies in a bundle: which file is the prompt, which are data, and what may not be in it."""

from collections.abc import Iterable
from typing import Final

SUFFIX: Final = ".job"
"""How the name of a bundle ends."""
PROMPT: Final = "prompt.md"
MOST_FILES: Final = 10_000
MOST_BYTES: Final = 4_000_000_000
"""Of all files together."""
LONGEST_PATH: Final = 1_000
"""Bytes of a path within it."""


def is_bundle(name: str) -> bool:
    """Whether a folder of this name is one job, and no queue."""
    return name.lower().endswith(SUFFIX)


def prompt_of(names: Iterable[str]) -> str | None:
    """Find the prompt among the names at the top: `prompt.md`, or the only one that ends in `.md`."""
    prompts = [name for name in names if name.lower().endswith(".md") and "/" not in name]
    if PROMPT in prompts:
        return PROMPT
    return prompts[0] if len(prompts) == 1 else None


def no_prompt(names: Iterable[str]) -> str:
    """Say why there is no prompt, and what would do."""
    prompts = sorted(name for name in names if name.lower().endswith(".md") and "/" not in name)
    if not prompts:
        return f"there is no prompt: put what to ask into {PROMPT}, at the top of the folder"
    return f"{len(prompts)} files end in .md at the top of the folder; call the one that is the prompt {PROMPT}"

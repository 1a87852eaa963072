"""What calls are made with: a key that is at hand, or whatever else the SDK finds, which alone makes it imported.

That import takes longer than all else at the start, and 46 MB.
"""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from batchd.claude.model_check import CURRENT_VERSION
from batchd.errors import Unusable

if TYPE_CHECKING:
    import httpx2

_USUAL_PLACE = "https://api.anthropic.com"
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
"""Variables that hold all that is needed, in the SDK's order; what else it may find, it must be asked for."""
_NO_KEY = "no key for the API: set ANTHROPIC_API_KEY (`batchd demo` needs none)"


class Credentials(NamedTuple):
    """What goes along with every call."""

    base_url: str
    headers: Mapping[str, str]
    auth: "httpx2.Auth | None" = None
    """Makes and renews tokens, where there is no key."""
    errors: tuple[type[Exception], ...] = ()
    """Raised by it, where it has none."""


def authorization(key: str) -> dict[str, str]:
    """The header that a key or a token is sent in."""
    return {"authorization": f"Bearer {key}"}


def key_at_hand(key: str | None) -> str | None:
    """A key or token that needs no search: the one that is known, or that of the environment."""
    return key or next(filter(None, (os.environ.get(name, "").strip() for name in _KEYS)), None)


@asynccontextmanager
async def found(key: str | None, base_url: str) -> AsyncIterator[Credentials]:
    """Find what calls are made with.

    Args:
        key: The API key; None for whatever the SDK finds.
        base_url: Where the API is; empty for whatever the SDK finds.

    Raises:
        Unusable: There is no key.
    """
    if known := key_at_hand(key):
        place = base_url or os.environ.get("ANTHROPIC_BASE_URL") or _USUAL_PLACE
        yield Credentials(place, _headers(known))
        return
    async with _of_the_sdk(base_url) as credentials:
        yield credentials


@asynccontextmanager
async def _of_the_sdk(base_url: str) -> AsyncIterator[Credentials]:
    import anthropic  # noqa: PLC0415  only where it must find something

    # ANTHROPIC_LOG=debug makes it print prompts.
    logging.getLogger("anthropic").setLevel(logging.WARNING)
    try:
        sdk = anthropic.AsyncAnthropic(base_url=base_url or None, open_telemetry=False)
    except anthropic.AnthropicError as error:
        raise Unusable(f"{_NO_KEY}; what the SDK found cannot be used ({type(error).__name__})") from error
    async with sdk:
        if sdk.credentials is None:
            raise Unusable(_NO_KEY)
        headers = {name: value for name, value in sdk.default_headers.items() if isinstance(value, str)}
        yield Credentials(str(sdk.base_url), headers, sdk.custom_auth, (anthropic.AnthropicError,))


def _headers(key: str) -> dict[str, str]:
    """What the SDK sends, but for what it tells of itself; a person's own headers win, as they do there."""
    own = (line.partition(":") for line in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").split("\n"))
    return {
        "accept": "application/json",
        "user-agent": "batchd",
        "anthropic-version": CURRENT_VERSION,
        **authorization(key),
        **{name.strip().lower(): value.strip() for name, colon, value in own if colon},
    }

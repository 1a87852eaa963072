"""What a server said of an error, made fit to be shown: in one line, printable, short, and without a key."""

import re
from collections.abc import Mapping

import anthropic

_KIND = re.compile(r"[a-z_]{1,40}")
_SECRET = re.compile(r"\b(?:sk-|key-)[\w.-]{6,}|(?<=[Bb]earer )\S+")
_LONGEST = 200
"""Characters of a sentence that are shown."""
_HEADERS = ("x-api-key", "authorization", "proxy-authorization")


def kind_of(error: anthropic.APIStatusError) -> str:
    """Its `error.type`, which is shown and logged: only what looks like one, since a gateway may say anything there."""
    kind = str(error.type or "")
    return kind if _KIND.fullmatch(kind) else f"HTTP {error.status_code}"


def message_of(error: anthropic.APIStatusError) -> str:
    """What the server said, as it said it: nested, flat, as `detail`, or as a string; empty where it said nothing."""
    if isinstance(error.api_message, str):
        return error.api_message
    body = error.body if isinstance(error.body, Mapping) else {}
    return next((said for key in ("message", "error", "detail") if (said := _text(body.get(key)))), "")


def sentence_of(error: anthropic.APIStatusError) -> str:
    """The same for people, with a colon in front; only of calls that carry no prompt, which a server may repeat."""
    said = " ".join(message_of(error).split())
    for secret in _secrets(error):
        said = said.replace(secret, "…")
    said = "".join(letter if letter.isprintable() else "?" for letter in _SECRET.sub("…", said))
    if len(said) > _LONGEST:
        said = said[:_LONGEST].rstrip() + "…"
    return f": {said}" if said else ""


def _text(said: object) -> str:
    """A string, or the messages of a list of problems, as FastAPI writes them."""
    if isinstance(said, str):
        return said
    if isinstance(said, Mapping):
        return _text(said.get("message") or said.get("msg"))
    if isinstance(said, list):
        return "; ".join(filter(None, map(_text, said[:3])))
    return ""


def _secrets(error: anthropic.APIStatusError) -> list[str]:
    headers = error.response.request.headers
    return [word for name in _HEADERS for word in headers.get(name, "").split() if len(word) > len("Bearer")]

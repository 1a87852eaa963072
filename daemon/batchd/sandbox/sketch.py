"""Reads from a prompt the form of the JSON that it asks for: of an example in it, or of the keys that it names."""

import json
import re
from itertools import islice
from typing import Any, Final

_TYPES: Final = {
    "string": "string", "text": "string", "integer": "integer", "int": "integer", "number": "number", "float": "number",
    "boolean": "boolean", "bool": "boolean", "array": "array", "list": "array",
}  # fmt: skip
_KEYS: Final = re.compile(
    r"\b(?:keys?|fields?|propert(?:y|ies)|attributes?|members?)\b[^:\n\w`\"']{0,4}(?:named|called|are)?:?\s*([^.\n]+)"
    r"|\bJSON\b[^.\n:]{0,30}(?:\bwith|\bof|\bcontaining|:)\s+([^.\n]+)",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"[`\"']([A-Za-z_][\w-]{0,60})[`\"']")
_BARE: Final = re.compile(r"(?:^|[,;]|\band\b)\s*(?:and\s+)?(?:an?\s+|the\s+)?([A-Za-z_][\w-]{0,60})")
_SHOWN_KEY: Final = re.compile(r"[{,]\s*\"([^\"\n]{1,60})\"\s*:")
_TYPE_BEHIND: Final = re.compile(rf"[`\"']?\s*[(:]\s*(?:an?\s+)?({'|'.join(_TYPES)})s?\b", re.IGNORECASE)
_MANY: Final = re.compile(r"\bJSON[- ](?:array|list)|\b(?:array|list)\s+of\s+(?:JSON\s+)?objects", re.IGNORECASE)
_MOST_KEYS: Final = 30
_TRIES: Final = 20
_ANSWER: Final = "answer"


def schema_of(prompt: str) -> dict[str, Any]:
    """A schema that says what a prompt shows or names; of one text where it does neither."""
    if (shown := _shown(prompt)) is not None:
        return shown
    entry = _object(_named(prompt) or {_ANSWER: {"type": "string"}})
    return {"type": "array", "items": entry, "minItems": 1} if _MANY.search(prompt) else entry


def _shown(prompt: str) -> dict[str, Any] | None:
    """The schema of the first JSON in a prompt that has something in it."""
    decoder = json.JSONDecoder(strict=False)
    for begin in islice(re.finditer(r"[{\[]", prompt), _TRIES):
        try:
            value, _ = decoder.raw_decode(prompt, begin.start())
        except (json.JSONDecodeError, RecursionError):
            continue
        if value and (isinstance(value, dict) or isinstance(value[0], dict)):
            return _like(value)
    keys = dict.fromkeys(_SHOWN_KEY.findall(prompt))
    return _object({key: {"type": "string"} for key in list(keys)[:_MOST_KEYS]}) if keys else None


def _like(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return _object({key: _like(each) for key, each in value.items()})
    if isinstance(value, list):
        return {"type": "array", "items": _like(value[0]) if value else {"type": "string"}, "minItems": 1}
    kinds = {bool: "boolean", int: "integer", float: "number"}
    return {"type": kinds.get(type(value), "string")}


def _named(prompt: str) -> dict[str, dict[str, Any]]:
    """The keys that a prompt lists, each with the type that it says behind it."""
    if (found := _KEYS.search(prompt)) is None:
        return {}
    listed = found[1] or found[2]
    names = list(_QUOTED.finditer(listed)) or list(_BARE.finditer(listed))
    keys: dict[str, dict[str, Any]] = {}
    for name in names[:_MOST_KEYS]:
        told = _TYPE_BEHIND.match(listed, name.end(1))
        keys[name[1]] = {"type": _TYPES[told[1].lower()] if told else "string"}
    return keys


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

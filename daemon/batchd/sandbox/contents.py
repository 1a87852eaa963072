"""The API's rules for the parts of a request that no type tells, in its words.

Sources: docs "errors", "prompt caching", "versioning", "vision", "tool use"; messages seen in the wild.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchd.sandbox import limits, schemas

STRICTER = "2026-10-21"
"""The version of the API since which sampling parameters and some odd contents are refused."""

_NAME = "^[a-zA-Z0-9_-]{1,128}$"
_ID = "^[a-zA-Z0-9_-]+$"
_PROPERTY = "^[a-zA-Z0-9_.-]{1,64}$"
_LEAST_THINKING = 1024
_LONGEST_USER_ID = 256
_SIGNATURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}

Said = Iterator[str]
Object = Mapping[str, Any]


def part(shape: str, value: Object, path: str) -> Said:
    """What is wrong with a part of a request whose shape is in order.

    Args:
        shape: Its name in the table.
        value: As parsed.
        path: Where it stands.
    """
    if rule := _RULES.get(shape):
        yield from rule(value, path)


def _domains(value: Object, path: str) -> Said:
    if value.get("allowed_domains") and value.get("blocked_domains"):
        yield f"{path}: only one of allowed_domains or blocked_domains may be specified"


def _text(value: Object, path: str) -> Said:
    field = path.partition(".")[0]
    if not value["text"]:
        yield f"{field}: text content blocks must be non-empty"
    elif not value["text"].strip():
        yield f"{field}: text content blocks must contain non-whitespace text"


def _file(value: Object, path: str) -> Said:
    try:
        data = base64.b64decode(re.sub(r"\s", "", value["data"]), validate=True)
    except (binascii.Error, ValueError):
        yield f"{path}.data: Invalid base64 data"
        return
    kind = value["media_type"]
    if kind == "application/pdf":
        if b"%PDF-" not in data[:1024]:
            yield f"{path}.data: The PDF specified was not valid."
    elif not (data.startswith(_SIGNATURES.get(kind, ())) or (kind == "image/webp" and _is_webp(data))):
        yield f"{path}.data: Image does not match the provided media type {kind}"
    yield from limits.of_a_file(value, data, path)


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _url(value: Object, path: str) -> Said:
    if not re.match(r"https?://[^\s/]", value["url"], re.IGNORECASE):
        yield f"{path}.url: Only HTTPS URLs are supported."


def _pattern(value: Object, name: str, pattern: str, path: str) -> Said:
    if not re.fullmatch(pattern.strip("^$"), value[name]):
        yield f"{path}.{name}: String should match pattern '{pattern}'"


def _call(value: Object, path: str) -> Said:
    yield from _pattern(value, "name", _NAME, path)
    yield from _pattern(value, "id", _ID, path)


def _result(value: Object, path: str) -> Said:
    yield from _pattern(value, "tool_use_id", _ID, path)


def _tool(value: Object, path: str) -> Said:
    yield from _pattern(value, "name", _NAME, path)
    schema = value["input_schema"]
    if schema.keys() & {"oneOf", "allOf", "anyOf"}:
        yield f"{path}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    for key in schema.get("properties") or ():
        if not re.fullmatch(_PROPERTY.strip("^$"), key):
            yield f"{path}.input_schema.properties: Property keys should match pattern '{_PROPERTY}'"
    yield from schemas.wrong(schema, f"{path}.input_schema", strict=value.get("strict") is True)


def _format(value: Object, path: str) -> Said:
    yield from schemas.wrong(value["schema"], f"{path}.schema", strict=True)


def _thinking(value: Object, path: str) -> Said:
    if value["budget_tokens"] < _LEAST_THINKING:
        yield f"{path}.budget_tokens: Input should be greater than or equal to {_LEAST_THINKING}"


def _metadata(value: Object, path: str) -> Said:
    if len(value.get("user_id") or "") > _LONGEST_USER_ID:
        yield f"{path}.user_id: String should have at most {_LONGEST_USER_ID} characters"


def _billing(value: Object, path: str) -> Said:
    if value.get("bill_to") == "user_profile":
        yield f"{path}.bill_to: user_profile is not supported in the Message Batches API"


def _server(value: Object, path: str) -> Said:
    if not value["url"].startswith("https://"):
        yield f"{path}.url: URL should start with https://"


_RULES: Mapping[str, Callable[[Object, str], Said]] = {
    "TextBlock": _text,
    "Base64ImageSource": _file,
    "Base64PDFSource": _file,
    "URLImageSource": _url,
    "URLPDFSource": _url,
    "ToolUseBlock": _call,
    "ToolResultBlock": _result,
    "Tool": _tool,
    "JSONOutputFormat": _format,
    "ThinkingConfigEnabled": _thinking,
    "Metadata": _metadata,
    "BillingPolicy": _billing,
    "MCPServerURLDefinition": _server,
    "WebSearchTool20250305": _domains,
    "WebSearchTool20260209": _domains,
    "WebSearchTool20260318": _domains,
    "WebFetchTool20250910": _domains,
    "WebFetchTool20260209": _domains,
    "WebFetchTool20260309": _domains,
    "WebFetchTool20260318": _domains,
}

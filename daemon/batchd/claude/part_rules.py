"""What no type says about the parts of a request: texts that must say something, names, ids, files, schemas.

By the names of the shapes. Sources: the API's own messages ("text content blocks must contain non-whitespace text",
"String should match pattern …"); docs "Tool use", "MCP connector", "Web search tool", "Extended thinking".
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from batchd.claude.media import is_locked
from batchd.claude.media_check import wrong_data, wrong_url
from batchd.claude.media_limits import wrong_picture
from batchd.claude.output_schema import check_answer, check_words
from batchd.claude.pictures import pixels
from batchd.claude.shapes import Look, Path, Rule
from batchd.text.strictjson import shown

LEAST_BUDGET: Final = 1_024
"""Tokens of a thinking budget."""

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_TOOL_ID: Final = re.compile(r"[a-zA-Z0-9_-]+\Z")
_PROPERTY: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}\Z")
_LONGEST_USER_ID: Final = 256
_COMBINED: Final = ("oneOf", "anyOf", "allOf")


def _text(block: dict[str, Any], path: Path, look: Look) -> None:
    if not block["text"] or block["text"].isspace():
        look.say((path, "text"), "must be a text that is not empty")


def _base64(source: dict[str, Any], path: Path, look: Look) -> None:
    data, kind = source["data"], source["media_type"]
    if said := wrong_data(data, kind) or _unfit(data, kind):
        look.say((path, "data"), said)


def _unfit(data: str, kind: str) -> str:
    """Say why no request takes a file that is what it says."""
    if kind != "application/pdf":
        return wrong_picture(pixels(data), len(data))
    return "is an encrypted PDF, which the API does not open; save it without a password" if is_locked(data) else ""


def _url(source: dict[str, Any], path: Path, look: Look) -> None:
    if said := wrong_url(source["url"]):
        look.say((path, "url"), said)


def _call(block: dict[str, Any], path: Path, look: Look) -> None:
    _named(block, path, look)
    if not _TOOL_ID.match(block["id"]):
        look.say((path, "id"), "must be made of letters, digits, _ and - only, as the API gave it")


def _result(block: dict[str, Any], path: Path, look: Look) -> None:
    if not _TOOL_ID.match(block["tool_use_id"]):
        look.say((path, "tool_use_id"), "must be made of letters, digits, _ and - only, as the call has it in id")


def _named(part: dict[str, Any], path: Path, look: Look) -> None:
    if not _NAME.match(part["name"]):
        said = f"{shown(part['name'])} is no name of a tool: 1 to 128 letters, digits, _ and -, and no blank"
        look.say((path, "name"), said)


def _tool(tool: dict[str, Any], path: Path, look: Look) -> None:
    _named(tool, path, look)
    schema, place = tool["input_schema"], (path, "input_schema")
    for word in _COMBINED:
        if word in schema:
            look.say((place, word), "may not stand at the top of a tool's schema; put it into a property")
    for key in schema.get("properties") or ():
        if not _PROPERTY.match(key):
            said = "is no name of a property here: 1 to 64 letters, digits, _, . and -"
            look.say(((place, "properties"), key), said)
    (check_answer if tool.get("strict") else check_words)(schema, place, look)


def _answer(form: dict[str, Any], path: Path, look: Look) -> None:
    check_answer(form["schema"], (path, "schema"), look)


def _thinking(thinking: dict[str, Any], path: Path, look: Look) -> None:
    if thinking["budget_tokens"] < LEAST_BUDGET:
        look.say((path, "budget_tokens"), f"must be at least {LEAST_BUDGET:,}")


def _metadata(metadata: dict[str, Any], path: Path, look: Look) -> None:
    user = metadata.get("user_id")
    if user is not None and len(user) > _LONGEST_USER_ID:
        look.say((path, "user_id"), f"{len(user):,} characters; at most {_LONGEST_USER_ID} are taken")


def _billing(policy: dict[str, Any], path: Path, look: Look) -> None:
    if policy.get("bill_to") == "user_profile":
        look.say((path, "bill_to"), 'a batch cannot be billed to a user profile; use "self" or leave it out')


def _domains(tool: dict[str, Any], path: Path, look: Look) -> None:
    if tool.get("allowed_domains") and tool.get("blocked_domains"):
        look.say((path, "blocked_domains"), "may not stand beside allowed_domains; keep one of them")


def _server(server: dict[str, Any], path: Path, look: Look) -> None:
    if not server["url"].startswith("https://"):
        look.say((path, "url"), "must begin with https://")


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "TextBlock": _text,
        "Base64ImageSource": _base64,
        "Base64PDFSource": _base64,
        "URLImageSource": _url,
        "URLPDFSource": _url,
        "ToolUseBlock": _call,
        "ToolResultBlock": _result,
        "Tool": _tool,
        "JSONOutputFormat": _answer,
        "ThinkingConfigEnabled": _thinking,
        "Metadata": _metadata,
        "BillingPolicy": _billing,
        "MCPServerURLDefinition": _server,
        **dict.fromkeys(("WebSearchTool20250305", "WebSearchTool20260209", "WebSearchTool20260318"), _domains),
        **dict.fromkeys(
            ("WebFetchTool20250910", "WebFetchTool20260209", "WebFetchTool20260309", "WebFetchTool20260318"), _domains
        ),
    }
)

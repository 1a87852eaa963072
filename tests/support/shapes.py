"""Makes `batchd/shapes.json` out of the types of the installed SDK: which keys and values each part of a request takes.

    python -m tests.support.shapes      writes it anew; `git diff` then shows what a new SDK brings

The beta types are the whole, the plain ones tell what of it needs no beta. A few facts are the API's and not the SDK's:
they are written out in `_CORRECTIONS`, each with its source.
"""

import json
import re
import types
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import IO, Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions
from anthropic import __version__
from anthropic.types import message_create_params as plain
from anthropic.types.anthropic_beta_param import AnthropicBetaParam
from anthropic.types.beta import message_create_params as beta
from pydantic import BaseModel

FILE = Path(str(files("batchd") / "shapes.json"))
ROOT = "MessageCreate"
_HEADERS = {"betas", "user_profile_id", "workspace_id"}
"""Arguments of `create()` that travel as headers."""

_BETAS = {
    "MessageCreate.billing_policy": ["user-profiles-billing-2026-10-01"],
    "MessageCreate.compaction": ["compact-2026-09-04"],
    "MessageCreate.context_management": ["context-management-2025-06-27", "compact-2026-01-12"],
    "MessageCreate.fallback_credit_token": ["fallback-credit-2026-07-01"],
    "MessageCreate.fallbacks": ["server-side-fallback-2026-07-01"],
    "MessageCreate.mcp_servers": ["mcp-client-2025-11-20"],
    "MessageCreate.output_format": ["structured-outputs-2025-11-13"],
    "MessageCreate.thread": ["message-threads-2026-08-12"],
    "OutputConfig.task_budget": ["task-budgets-2026-03-13"],
    "SystemMessage.clear_at": ["mid-conversation-system-clear-at-2026-08-21"],
    "SystemMessage.output_config": ["mid-conversation-output-config-2026-07-01"],
    "ThinkingConfigAdaptive.block_binding": ["thinking-binding-controls-2026-08-01"],
    "ThinkingConfigEnabled.block_binding": ["thinking-binding-controls-2026-08-01"],
    "=updates": ["thinking-display-updates-2026-08-18"],
    "=advisor": ["advisor-tool-2026-03-01"],
    "#AdvisorTool20260301": ["advisor-tool-2026-03-01"],
    "#AdvisorToolResultBlock": ["advisor-tool-2026-03-01"],
    "#CompactionBlock": ["compact-2026-01-12"],
    "#FallbackBlock": ["server-side-fallback-2026-07-01"],
    "#MCPToolListingBlock": ["mcp-client-2026-09-15"],
    "#MCPToolResultBlock": ["mcp-client-2025-11-20"],
    "#MCPToolUseBlock": ["mcp-client-2025-11-20"],
    "#MCPToolset": ["mcp-client-2025-11-20"],
    "#ToolAdditionBlock": ["mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15"],
    "#ToolBash20241022": ["computer-use-2024-10-22"],
    "#ToolComputerUse20241022": ["computer-use-2024-10-22"],
    "#ToolComputerUse20250124": ["computer-use-2025-01-24"],
    "#ToolComputerUse20251124": ["computer-use-2025-11-24"],
    "#ToolRemovalBlock": ["mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15"],
    "#ToolTextEditor20241022": ["computer-use-2024-10-22"],
}
"""The betas that bring what only the beta types have, the first one for messages (docs: "beta headers").

Any date of such a beta will do: a feature's beta changes its date, and nobody here could try which date takes what.
"""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")

Hint = str | dict[str, Any]
Shape = dict[str, Any]


def made() -> dict[str, Any]:
    """The whole file, as it should be for the installed SDK."""
    whole, without = _Reader(), _Reader()
    whole.read(beta.MessageCreateParamsNonStreaming)
    without.read(plain.MessageCreateParamsNonStreaming)
    for name, shape in whole.shapes.items():
        if counterpart := without.shapes.get(name):
            _mark(shape, counterpart)
    for name in _HEADERS:
        whole.shapes[ROOT]["keys"].pop(name)
    whole.shapes[ROOT]["beta"] = sorted(set(whole.shapes[ROOT].get("beta", ())) - _HEADERS)
    _correct(whole.shapes)
    shapes = {name: whole.shapes[name] for name in _reachable(whole.shapes)}
    return {"sdk": __version__, "betas": {use: _betas(use) for use in sorted(_uses(shapes))}, "shapes": shapes}


def _betas(use: str) -> dict[str, Any]:
    """What brings it: a name for messages, and how such names begin."""
    known = {each for arm in get_args(AnthropicBetaParam) for each in get_args(arm)}
    names = _BETAS[use]
    if not known.issuperset(names):
        raise ValueError(f"the SDK has no beta of these names: {names}")
    begin = "user-profiles-" if use.endswith(".billing_policy") else None
    return {"named": names[0], "begin": [begin or _DATE.sub("", each) for each in names]}


def _uses(shapes: dict[str, Shape]) -> set[str]:
    """Everything that needs a beta, by the name under which `betas` has it."""
    found = {f"{name}.{key}" for name, shape in shapes.items() for key in shape.get("beta", ())}

    def look(hint: object) -> None:
        if isinstance(hint, dict):
            found.update(each if each.startswith("#") else f"={each}" for each in hint.get("beta", ()))
            for each in hint.values():
                look(each)
        elif isinstance(hint, list):
            for each in hint:
                look(each)

    for shape in shapes.values():
        look(shape["keys"])
    return found


def _correct(shapes: dict[str, Shape]) -> None:
    root = shapes[ROOT]
    # New ids come before new SDKs, and gateways have names of their own.
    root["keys"]["model"] = "str"
    # Docs "structured outputs": the parameter's name while it was a beta goes on working.
    root["keys"]["output_format"] = {"one": ["#JSONOutputFormat", "null"]}
    root["beta"] = sorted({*root["beta"], "output_format"})
    # Docs "versioning": gone with version 2026-10-21, and with it from the SDK; `sampling` in the code has the rules.
    root["keys"] |= {"temperature": "float", "top_p": "float", "top_k": "int"}
    # The API's own words, `tools.0.custom.input_schema.type: Field required`; the SDK allows any object besides.
    shapes["Tool"]["keys"]["input_schema"] = "#InputSchemaTyped"
    shapes["InputSchemaTyped"]["open"] = True


def _mark(shape: Shape, counterpart: Shape) -> None:
    """Note what of a shape the plain types do not have."""
    if betas := sorted(shape["keys"].keys() - counterpart["keys"].keys()):
        shape["beta"] = betas
    for key, hint in shape["keys"].items():
        if key in counterpart["keys"]:
            _mark_hint(hint, counterpart["keys"][key])


def _mark_hint(hint: Hint, counterpart: Hint) -> None:
    if isinstance(hint, str) or isinstance(counterpart, str):
        return
    if "list" in hint and "list" in counterpart:
        _mark_hint(hint["list"], counterpart["list"])
    elif "is" in hint and "is" in counterpart:
        if more := [value for value in hint["is"] if value not in counterpart["is"]]:
            hint["beta"] = more
    elif "one" in hint:
        arms = counterpart.get("one", [counterpart])
        names = [arm for arm in arms if isinstance(arm, str)]
        if more := [arm for arm in hint["one"] if isinstance(arm, str) and arm not in names]:
            hint["beta"] = more
        for kind in ("list", "is"):
            ours = [arm for arm in hint["one"] if isinstance(arm, dict) and kind in arm]
            theirs = [arm for arm in arms if isinstance(arm, dict) and kind in arm]
            for arm, other in zip(ours, theirs, strict=False):
                _mark_hint(arm, other)


def _reachable(shapes: dict[str, Shape]) -> list[str]:
    found, ahead = {ROOT}, [ROOT]
    while ahead:
        text = json.dumps(shapes[ahead.pop()]["keys"])
        for name in shapes:
            if name not in found and f'"#{name}"' in text:
                found.add(name)
                ahead.append(name)
    return sorted(found)


class _Reader:
    """Turns type hints into what JSON can say; a TypedDict has one name in the beta types and in the plain ones."""

    def __init__(self) -> None:
        self.shapes: dict[str, Shape] = {}

    def read(self, hint: Any) -> Hint:
        hint = _bare(hint)
        origin = get_origin(hint)
        if typing_extensions.is_typeddict(hint):
            return self._typed_dict(hint)
        if origin is Literal:
            return {"is": list(get_args(hint))}
        if origin in {Union, types.UnionType}:
            return self._union([each for each in map(_bare, get_args(hint)) if not _no_json(each)])
        if origin is dict:
            return {"map": self.read(get_args(hint)[1])}
        if origin is not None and getattr(origin, "__name__", "") in {"list", "Iterable", "Sequence", "SequenceNotStr"}:
            return {"list": self.read(get_args(hint)[0])}
        names = {Any: "any", object: "any", None: "null", type(None): "null"}
        names |= {str: "str", int: "int", bool: "bool", float: "float"}
        return names[hint]

    def _union(self, hints: list[Any]) -> Hint:
        arms: list[Hint] = []
        for hint in hints:
            read = self.read(hint)
            for arm in read["one"] if isinstance(read, dict) and "one" in read else [read]:
                if arm not in arms:
                    arms.append(arm)
        if "str" in arms:
            arms = [arm for arm in arms if not (isinstance(arm, dict) and "is" in arm)]
        return arms[0] if len(arms) == 1 else {"one": arms}

    def _typed_dict(self, hint: Any) -> Hint:
        name = _name(hint)
        if name not in self.shapes:
            self.shapes[name] = {}
            hints = typing_extensions.get_type_hints(hint, include_extras=True)
            required = {key for key, each in hints.items() if _marked_required(each)}
            shape: Shape = {"keys": {key: self.read(each) for key, each in hints.items()}}
            required |= set(hint.__required_keys__)
            if required:
                shape["required"] = sorted(required)
            if (getattr(hint, "__pydantic_config__", None) or {}).get("extra") == "allow":
                shape["open"] = True
            self.shapes[name] = shape
        return f"#{name}"


def _name(hint: Any) -> str:
    name: str = hint.__name__.removeprefix("Beta").removeprefix("Request")
    for suffix in ("NonStreaming", "Params", "Param", "Param"):
        name = name.removesuffix(suffix)
    return name


def _marked_required(hint: Any) -> bool:
    return get_origin(hint) is typing_extensions.Required


def _bare(hint: Any) -> Any:
    while get_origin(hint) in {typing_extensions.Required, typing_extensions.NotRequired, Annotated}:
        hint = get_args(hint)[0]
    return hint


def _no_json(hint: Any) -> bool:
    """Types of answers, and open files: arms that only Python callers use."""
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, (BaseModel, PathLike, IO))


def text() -> str:
    """The file, one shape a line, so that a diff can be read."""
    whole = made()
    lines = (f"  {json.dumps(name)}: {json.dumps(shape)}" for name, shape in whole["shapes"].items())
    betas = (f"  {json.dumps(use)}: {json.dumps(brought)}" for use, brought in whole["betas"].items())
    head = f' "sdk": {json.dumps(whole["sdk"])},'
    return "\n".join(
        ("{", head, ' "betas": {', ",\n".join(betas), " },", ' "shapes": {', ",\n".join(lines), " }", "}", "")
    )


if __name__ == "__main__":
    FILE.write_text(text())

"""The API's strict reading of a request's shape, by the table `shapes.json`, in the API's words.

The table holds facts, made from the SDK's types (tests/support/shapes.py), and no code: how it is read here is the
sandbox's own, so that it can be held against how the daemon reads it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any, TypeAlias

Hint: TypeAlias = Any
"""What the table says of a value: a name such as `str` or `#TextBlock`, or an object of one key."""
Betas: TypeAlias = frozenset[str]
Visit: TypeAlias = Callable[[str, Mapping[str, Any], str], None]
"""Told of every object that has a shape: the shape's name, the object, its path."""

EXTRA = "Extra inputs are not permitted"
REQUIRED = "Field required"
ROOT = "MessageCreate"
_KINDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "str": ("Input should be a valid string", lambda value: isinstance(value, str)),
    "int": ("Input should be a valid integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": (
        "Input should be a valid number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    "bool": ("Input should be a valid boolean", lambda value: isinstance(value, bool)),
    "null": ("Input should be null", lambda value: value is None),
    "any": ("", lambda _: True),
}
LONGEST = 8192
_SHORT = (
    *("name", "id", "tool_use_id", "file_id", "skill_id", "version", "url", "model", "container"),
    *(
        "authorization_token",
        "server_name",
        "mcp_server_name",
        "inference_geo",
        "city",
        "region",
        "country",
        "timezone",
    ),
    *("timezone", "stop_sequences", "allowed_domains", "blocked_domains", "allowed_callers", "exclude_tools"),
)
_NO_LIST = "Input should be a valid list"
_NO_OBJECT = "Input should be a valid dictionary"


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("batchd").joinpath("shapes.json").read_bytes())
    return found


def endless(key: str, value: object, path: str) -> Iterator[str]:
    """Names, ids and addresses that are longer than any; how long they may be is the sandbox's own."""
    values = value if isinstance(value, list) else [value]
    if key in _SHORT and any(isinstance(each, str) and len(each) > LONGEST for each in values):
        yield f"{path}: String should have at most {LONGEST} characters"


class Reading:
    """One walk through a request: what is wrong with it, and every object with a shape on the way."""

    def __init__(self, betas: Betas, visit: Visit) -> None:
        self._betas = betas
        self._visit = visit

    def parameter(self, name: str, value: object) -> Iterator[str]:
        """What is wrong with one parameter.

        Args:
            name: One of those that `known` has.
            value: As parsed.
        """
        yield from self._value(value, _table()["shapes"][ROOT]["keys"][name], name)
        yield from endless(name, value, name)

    def _value(self, value: object, hint: Hint, path: str) -> Iterator[str]:
        if isinstance(hint, str):
            yield from self._plain(value, hint, path)
        elif "is" in hint:
            yield from self._literal(value, hint, path)
        elif "one" in hint:
            yield from self._union(value, hint, path)
        else:
            yield from self._many(value, hint, path)

    def _plain(self, value: object, hint: str, path: str) -> Iterator[str]:
        if hint.startswith("#"):
            yield from self._object(value, hint[1:], path)
        elif not _KINDS[hint][1](value):
            yield f"{path}: {_KINDS[hint][0]}"

    def _many(self, value: object, hint: Hint, path: str) -> Iterator[str]:
        inside: Iterable[tuple[object, object]]
        if "list" in hint:
            inside = enumerate(value) if isinstance(value, list) else ()
            wrong = "" if isinstance(value, list) else _NO_LIST
        else:
            inside = value.items() if isinstance(value, Mapping) else ()
            wrong = "" if isinstance(value, Mapping) else _NO_OBJECT
        if wrong:
            yield f"{path}: {wrong}"
        for key, each in inside:
            yield from self._value(each, hint.get("list") or hint["map"], f"{path}.{key}")

    def _literal(self, value: object, hint: Hint, path: str) -> Iterator[str]:
        barred = [each for each in hint.get("beta", ()) if not brought(f"={each}", self._betas)]
        allowed = [each for each in hint["is"] if each not in barred]
        if not any(type(value) is type(each) and value == each for each in allowed):
            yield f"{path}: Input should be {' or '.join(repr(each) for each in allowed)}"

    def _union(self, value: object, hint: Hint, path: str) -> Iterator[str]:
        arms = hint["one"]
        objects = [arm[1:] for arm in arms if isinstance(arm, str) and arm.startswith("#")]
        if isinstance(value, Mapping) and len(objects) > 1:
            yield from self._tagged(value, objects, hint.get("beta", ()), path)
            return
        arm = next((arm for arm in arms if _fits(value, arm)), None)
        if arm is not None:
            yield from self._value(value, arm, path)
        elif any(isinstance(arm, dict) and "list" in arm for arm in arms):
            yield f"{path}: {_NO_LIST}"
        else:
            plain = [arm for arm in arms if isinstance(arm, str) and arm in _KINDS]
            yield f"{path}: {_NO_OBJECT if objects or not plain else _KINDS[plain[0]][0]}"

    def _tagged(self, value: Mapping[str, Any], names: Iterable[str], betas: list[str], path: str) -> Iterator[str]:
        shapes = _table()["shapes"]
        tag = "role" if all("role" in shapes[name]["keys"] for name in names) else "type"
        expected: list[str] = []
        for name in names:
            if f"#{name}" in betas and not brought(f"#{name}", self._betas):
                continue
            tags = _literals(shapes[name]["keys"][tag])
            expected += [each for each in tags if isinstance(each, str)]
            by_default = tag not in shapes[name].get("required", ()) and tag not in value
            if by_default or any(type(value.get(tag)) is type(each) and value.get(tag) == each for each in tags):
                yield from self._object(value, name, path)
                return
        if tag == "role":
            yield f'messages: Unexpected role "{value.get("role")}". Allowed roles are "user" or "assistant".'
        elif tag not in value:
            yield f"{path}.{tag}: {REQUIRED}"
        else:
            yield f"{path}: {unexpected(value[tag], expected)}"

    def _object(self, value: object, name: str, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: {_NO_OBJECT}"
            return
        shape = _table()["shapes"][name]
        keys, barred = shape["keys"], [f"{name}.{key}" for key in shape.get("beta", ())]
        within = f"{path}.{_tag(name)}" if "type" in keys else path
        sound = True
        missing = (key for key in shape.get("required", ()) if key not in value)
        for said in (f"{within}.{key}: {REQUIRED}" for key in missing):
            sound = False
            yield said
        for key, inner in value.items():
            known = key in keys and (f"{name}.{key}" not in barred or brought(f"{name}.{key}", self._betas))
            if not known and not shape.get("open"):
                sound = False
                yield f"{within}.{key}: {EXTRA}"
            elif known:
                for said in chain(
                    self._value(inner, keys[key], f"{within}.{key}"), endless(key, inner, f"{within}.{key}")
                ):
                    sound = False
                    yield said
        if sound:
            self._visit(name, value, within)


def known(betas: Betas) -> frozenset[str]:
    """The parameters that a request may have."""
    root = _table()["shapes"][ROOT]
    return frozenset(key for key in root["keys"] if key not in root["beta"] or brought(f"{ROOT}.{key}", betas))


def brought(use: str, betas: Betas) -> bool:
    """Whether one of the betas of a call brings this."""
    begin = tuple(_table()["betas"][use]["begin"])
    return any(beta.startswith(begin) for beta in betas)


def unexpected(kind: object, expected: Iterable[str]) -> str:
    """The API's words for a `type` that it does not know at this place."""
    tags = ", ".join(f"'{name}'" for name in expected)
    return f"Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"


def _fits(value: object, arm: Hint) -> bool:
    if isinstance(arm, str):
        return isinstance(value, Mapping) if arm.startswith("#") else _KINDS[arm][1](value)
    if "list" in arm:
        return isinstance(value, list)
    return isinstance(value, Mapping) if "map" in arm else any(type(value) is type(each) for each in arm["is"])


def _literals(hint: Hint) -> list[object]:
    if isinstance(hint, str):
        return [None] if hint == "null" else []
    return list(hint.get("is", ())) or [value for arm in hint.get("one", ()) for value in _literals(arm)]


def _tag(name: str) -> str:
    tags = [each for each in _literals(_table()["shapes"][name]["keys"]["type"]) if isinstance(each, str)]
    return tags[0] if tags else "type"

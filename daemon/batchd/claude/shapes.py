"""The shape of a request: which keys and values each part of it takes, by the table `shapes.json`.

The table is made from the types of the anthropic SDK (tests/support/shapes.py); the stand-in reads it too, by its own
rules. A walk tells what is wrong, and notes what else can only be known by walking: which parts need a beta, and where
cache breakpoints stand. What no type says about a part, such as that a text must not be empty, is a `Rule` for it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, NamedTuple, TypeAlias

from batchd.claude.shape_words import (
    NAMES,
    STANDS_FOR,
    Hint,
    Path,
    described,
    or_nothing,
    quoted,
    stray,
    table,
    title,
    unknown,
    values,
    written,
)
from batchd.text.strictjson import MOST_FLAWS, Flaw

__all__ = ["ROOT", "WORDS", "Breakpoint", "Look", "Path", "Rule", "Shapes", "Use", "Walk", "bound", "written"]

Walk: TypeAlias = "Callable[[object, Path, Look], None]"
Rule: TypeAlias = "Callable[[dict[str, Any], Path, Look], None]"

ROOT: Final = "MessageCreate"


WORDS: Final = frozenset(
    """
    allowed_callers allowed_domains authorization_token blocked_domains city container country exclude_tools file_id id
    inference_geo mcp_server_name model name region server_name skill_id stop_sequences timezone tool_use_id url version
    """.split()  # noqa: SIM905  words are read more easily than strings
)
"""Keys whose values are words: names, ids, addresses, signs; never texts."""
_LONGEST_WORD: Final = 8_192
"""Characters; of an address that is signed, which is the longest of them."""


def bound(value: object, path: Path, look: "Look") -> None:
    """Note each word without end, in a value that is one or a list of them: it would be compared, sent and shown."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            bound(each, (path, index), look)
    elif isinstance(value, str) and len(value) > _LONGEST_WORD:
        look.say(path, f"{len(value):,} characters; at most {_LONGEST_WORD:,} are taken")


class Use(NamedTuple):
    """Something in a request that only a beta brings."""

    field: str
    beta: str
    """One that does, by its full name."""
    begin: tuple[str, ...]
    """How the names begin of all that do."""


class Breakpoint(NamedTuple):
    """A place up to which the prompt is to be cached."""

    path: Path
    long: bool
    """Whether for an hour; else for five minutes."""


class Look:
    """What a walk through a value came to."""

    __slots__ = ("breakpoints", "flaws", "uses")

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self.uses: list[Use] = []
        self.breakpoints: list[Breakpoint] = []

    def say(self, path: Path, message: str) -> None:
        """Note a flaw, as long as there is room for more."""
        if len(self.flaws) < MOST_FLAWS:
            self.flaws.append(Flaw(written(path), message))

    def need(self, path: Path, use: str) -> None:
        """Note something that only a beta brings."""
        if len(self.uses) < MOST_FLAWS:
            brought = table()["betas"][use]
            self.uses.append(Use(written(path), brought["named"], tuple(brought["begin"])))


@dataclass(frozen=True, slots=True)
class _Object:
    """An object of one shape."""

    name: str
    keys: Mapping[str, Walk]
    required: tuple[str, ...]
    betas: frozenset[str]
    """Keys that only a beta brings."""
    closed: bool
    """Whether it takes no other keys."""
    rule: "Rule | None"

    def walk(self, value: object, path: Path, look: Look) -> None:
        if not isinstance(value, dict):
            look.say(path, f"must be an object{or_nothing(value)}")
            return
        before = len(look.flaws)
        if "type" in value and (tag := self.keys.get("type")):
            tag(value["type"], (path, "type"), look)
            if len(look.flaws) > before:
                return  # another thing, whose keys are its own
        for key, inner in value.items():
            if (known := self.keys.get(key)) is not None:
                known(inner, (path, key), look)
                self._note(key, inner, path, look)
            elif self.closed:
                look.say((path, key), stray(key, title(self.name), self.keys))
        for key in self.required:
            if key not in value and not any(STANDS_FOR.get(each) == key for each in value):
                look.say((path, key), f"missing; {title(self.name)} needs it")
        if self.rule and len(look.flaws) == before:
            self.rule(value, path, look)

    def _note(self, key: str, inner: object, path: Path, look: Look) -> None:
        if key in WORDS:
            bound(inner, (path, key), look)
        if key in self.betas:
            look.need((path, key), f"{self.name}.{key}")
        if key == "cache_control" and isinstance(inner, dict):
            look.breakpoints.append(Breakpoint((path, key), inner.get("ttl") == "1h"))


class Shapes:
    """The walks through all shapes, each made when it is first needed."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        """Take the table, and what it cannot say.

        Args:
            rules: By the name of a shape; asked only where the shape itself is in order.
        """
        self._rules = rules
        self._walks: dict[str, Walk] = {}

    def parameters(self) -> dict[str, Walk]:
        """The walk through each parameter of a request, by its name."""
        root = table()["shapes"][ROOT]
        walks = {key: self._of(hint) for key, hint in root["keys"].items()}
        return walks | {key: _of_a_beta(walks[key], f"{ROOT}.{key}") for key in root["beta"]}

    def _of(self, hint: Hint) -> Walk:
        if isinstance(hint, str):
            return self._shape(hint[1:]) if hint.startswith("#") else _PLAIN[hint]
        if "list" in hint:
            return _list_of(self._of(hint["list"]))
        if "map" in hint:
            return _map_of(self._of(hint["map"]))
        return _literal(hint) if "is" in hint else self._union(hint)

    def _shape(self, name: str) -> Walk:
        """Walk through a shape; made at its first use, since shapes hold one another."""

        def walk(value: object, path: Path, look: Look) -> None:
            made = self._walks.get(name)
            if made is None:
                made = self._walks[name] = self._make(name)
            made(value, path, look)

        return walk

    def _make(self, name: str) -> Walk:
        shape = table()["shapes"][name]
        keys = {key: self._of(hint) for key, hint in shape["keys"].items()}
        rule, betas = self._rules.get(name), frozenset(shape.get("beta", ()))
        return _Object(name, keys, tuple(shape.get("required", ())), betas, not shape.get("open"), rule).walk

    def _union(self, hint: Hint) -> Walk:
        """Walk through whichever arm a value is meant for: by its kind, and objects by their type or role."""
        arms, betas = hint["one"], frozenset(each for each in hint.get("beta", ()) if isinstance(each, str))
        objects = [arm for arm in arms if isinstance(arm, str) and arm.startswith("#")]
        tagged = self._tagged(objects, betas) if len(objects) > 1 else None
        others = [arm for arm in arms if arm not in objects]
        by_kind: dict[type, Walk] = {kind: walk for arm in others for kind, walk in self._plain(arm)}
        if objects:
            by_kind[dict] = tagged or self._of(objects[0])
        said = f"must be {described(hint)}"

        def walk(value: object, path: Path, look: Look) -> None:
            arm = by_kind.get(type(value))
            if arm is None:
                look.say(path, said + or_nothing(value))
            else:
                arm(value, path, look)

        return walk

    def _plain(self, arm: Hint) -> Iterable[tuple[type, Walk]]:
        walk = self._of(arm)
        if isinstance(arm, dict):
            kinds = [list] if "list" in arm else [dict] if "map" in arm else {type(each) for each in arm["is"]}
            return ((kind, walk) for kind in kinds)
        return ((kind, walk) for kind in _KINDS[arm])

    def _tagged(self, objects: list[str], betas: frozenset[str]) -> Walk:
        shapes = table()["shapes"]
        tag = "role" if "role" in shapes[objects[0][1:]]["keys"] else "type"
        arms: dict[object, tuple[Walk, str | None]] = {}
        names: list[str] = []
        for each in objects:
            shape = shapes[each[1:]]
            found = (self._of(each), each if each in betas else None)
            tags = values(shape["keys"][tag])
            names += [value for value in tags if isinstance(value, str) and each not in betas]
            for value in tags:
                arms.setdefault(value, found)
            if tag not in shape.get("required", ()):
                arms.setdefault(None, found)

        def walk(value: object, path: Path, look: Look) -> None:
            kind = value.get(tag) if isinstance(value, dict) else None
            arm = arms.get(kind) if isinstance(kind, (str, type(None))) else None
            if arm is None:
                look.say((path, tag), unknown(kind, names))
                return
            arm[0](value, path, look)
            if arm[1]:
                look.need(path, arm[1])

        return walk


def _of_a_beta(inner: Walk, use: str) -> Walk:
    def walk(value: object, path: Path, look: Look) -> None:
        inner(value, path, look)
        look.need(path, use)

    return walk


def _list_of(inner: Walk) -> Walk:
    def walk(value: object, path: Path, look: Look) -> None:
        if not isinstance(value, list):
            look.say(path, f"must be a list{or_nothing(value)}")
            return
        for index, each in enumerate(value):
            inner(each, (path, index), look)

    return walk


def _map_of(inner: Walk) -> Walk:
    anything = inner is _anything

    def walk(value: object, path: Path, look: Look) -> None:
        if not isinstance(value, dict):
            look.say(path, "must be an object")
        elif not anything:
            for key, each in value.items():
                inner(each, (path, key), look)

    return walk


def _literal(hint: Hint) -> Walk:
    allowed, betas = hint["is"], hint.get("beta", ())
    said = f"must be {described(hint)}"

    def walk(value: object, path: Path, look: Look) -> None:
        if not any(value == each and type(value) is type(each) for each in allowed):
            look.say(path, said if isinstance(value, (dict, list, NoneType)) else f"{said}, not {quoted(value)}")
        elif value in betas:
            look.need(path, f"={value}")

    return walk


def _anything(_value: object, _path: Path, _look: Look) -> None:
    pass


def _kind(*kinds: type, said: str) -> Walk:
    def walk(value: object, path: Path, look: Look) -> None:
        if type(value) not in kinds:
            look.say(path, f"must be {said}{or_nothing(value)}")

    return walk


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}
_PLAIN: Final[Mapping[str, Walk]] = {
    "any": _anything,
    **{name: _kind(*kinds, said=NAMES[name]) for name, kinds in _KINDS.items()},
}

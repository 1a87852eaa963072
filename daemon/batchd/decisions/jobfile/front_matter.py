"""A Markdown or text file as one request: settings in front of the prompt, in YAML that cannot bite, and the prompt."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import yaml
from frontmatter.default_handlers import SafeLoader, YAMLHandler

from batchd.text.jsonscan import Broken
from batchd.text.strictjson import Flaw, Json, member, shown

LONGEST_FRONT_MATTER: Final = 65_536
"""Characters of YAML."""

_DEEPEST: Final = 50
_WIDEST_NUMBER: Final = 64
_HANDLER: Final = YAMLHandler()
_TOML: Final = re.compile(r"\+\+\+[ \t]*\r?\n(?:.*\n)*?\+\+\+[ \t]*(?:\r?\n|\Z)")


class Prose(NamedTuple):
    """What a text file says."""

    settings: dict[str, Json]
    prompt: str
    line: int
    """Where the prompt begins, from 1."""
    flaws: tuple[Flaw, ...] = ()
    """What of the settings YAML can say and JSON cannot."""


def read_prose(text: str) -> Prose:
    """Split a text into its front matter, if it has one, and the prompt without the blank lines around it.

    Args:
        text: The whole file.

    Raises:
        Broken: The front matter never ends, is too long, or is not plain YAML.
    """
    body = text.lstrip()
    if _TOML.match(body):
        said = "settings between +++ lines are TOML, as Hugo and Zola have it; here they are YAML between --- lines"
        raise Broken(1 + text.count("\n", 0, len(text) - len(body)), f"{said}, such as model: claude-sonnet-5-5")
    if not _HANDLER.detect(body):
        return Prose({}, text.strip("\r\n"), 1)
    first = 1 + text.count("\n", 0, len(text) - len(body))
    try:
        front, prompt = _HANDLER.split(body)
    except ValueError:
        said = "the settings that begin at --- never end; close them with a line ---, or begin the text otherwise"
        raise Broken(first, said) from None
    if len(front) > LONGEST_FRONT_MATTER:
        raise Broken(first, f"settings of over {LONGEST_FRONT_MATTER:,} characters; is the second --- missing?")
    line = first + body.count("\n", 0, len(body) - len(prompt.lstrip()))
    settings = _settings(front, first)
    return Prose(settings, prompt.strip("\r\n"), line, tuple(_foreign(settings, "")))


def _settings(front: str, first: int) -> dict[str, Json]:
    """Load YAML, once it is known to be no bomb."""
    try:
        _refuse_cleverness(front, first)
        _refuse_repeats(yaml.compose(front, Loader=SafeLoader), first)
        found = _HANDLER.load(front)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "a character that YAML does not take"
        raise Broken(first + (mark.line if mark else 0), f"not YAML: {said}") from None
    except (ValueError, OverflowError):
        raise Broken(first, "a number or date that does not exist; put it in quotes") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Broken(first, "between the --- lines stand no settings such as `model: …`; begin the text otherwise")
    return {key if isinstance(key, str) else str(key): value for key, value in found.items()}


def _refuse_cleverness(front: str, first: int) -> None:
    """Refuse what makes a small text a huge value or a strange one, before anything is built of it."""
    depth = 0
    for event in yaml.parse(front, Loader=SafeLoader):
        line = first + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Broken(line, "anchors and aliases (& and *) are not taken; write the value out")
        if getattr(event, "tag", None):
            raise Broken(line, "tags (!) are not taken; write the value as it is")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Broken(line, f"settings nested deeper than {_DEEPEST} levels")


def _refuse_repeats(node: yaml.Node | None, first: int) -> None:
    """Refuse keys that appear twice, of which YAML would silently take the last."""
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            _refuse_repeats(inner, first)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, inner in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise Broken(first + key.start_mark.line, f"{shown(key.value)} appears twice; keep one of them")
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else "")
            _refuse_repeats(inner, first)


def _foreign(value: object, path: str) -> Iterator[Flaw]:
    """Find what YAML can say and JSON cannot."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(key, str):
                yield from _foreign(inner, member(path, key))
            else:
                yield Flaw(path, f"the key {shown(str(key))} is not a text; put it in quotes")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _foreign(inner, f"{path}[{index}]")
    elif isinstance(value, int) and value.bit_length() > _WIDEST_NUMBER:
        yield Flaw(path, f"a number of over {_WIDEST_NUMBER} bits; put it in quotes")
    elif not isinstance(value, (str, int, float, type(None))):
        yield Flaw(path, f"YAML takes this for a {type(value).__name__}; put it in quotes")

"""The prompt of a row: text with places for its values, in the syntax of Jinja.

Droppers are strangers, and Jinja's own sandbox bounds no work: `{{ 'x' * 10**8 }}` takes 400 MB. Only the nodes
below are taken, so that rendering is linear in the text and the values. A value is inserted as text, never parsed.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from batchd.text.jsonscan import Broken
from batchd.text.strictjson import Flaw, Json

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

LONGEST_PROMPT: Final = 32_000_000
"""Bytes of one rendered prompt; the API takes no longer request."""
MOST_PLACES: Final = 1_000
"""Of `{{` and `{%` together: compiling is far dearer than rendering (100,000 places: 11 s and 1 GB)."""
MOST_TOKENS: Final = 500
"""Of one place: a chain of 100,000 filters takes half a minute to read."""

OF_FILE: Final = ("file", "stem", "text")
"""What a template may name of a file: its path, its name without ending, and its text."""
OF_ROWS: Final = ("file", "stem")
"""What it may name of the file in which rows stand."""
ANSWERS: Final = ("steps", "previous")
"""What it may name of earlier answers, each followed by a dot and a name, in a step of a job of several."""

_NODES: Final = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Const", "Getitem", "If", "Compare", "Operand", "Not", "And", "Or"}
    | {"CondExpr", "Filter", "Keyword", "Test"}
)
_TESTS: Final = ("defined", "none")
_RESERVED: Final = {"none": "None", "true": "True", "false": "False", "self": "self"}
"""Names that Jinja keeps for itself: a column that is called so is written as `row["…"]`."""
_PLACE: Final = re.compile(r"\{[{%]")
_WORDS_IN_A_PLACE: Final = re.compile(r"\{\{-?\s*([^\W\d][^{}|\"'\[\]().,:]*\s[^{}|\"'\[\]().,:]*?)\s*-?\}\}")
_TOO_DEEP: Final = "nested too deeply; say it with fewer {% if %} within each other"


class PromptTemplate:
    """A template without errors: which names it uses, and its text for a row."""

    def __init__(
        self,
        compiled: "Template",
        names: frozenset[str],
        keys: frozenset[str],
        answers: frozenset[tuple[str | int, ...]] = frozenset(),
    ) -> None:
        self._compiled = compiled
        self.answers = answers
        """Paths such as `("steps", "outline", "title")`."""
        self.names = names
        """Written plainly, as `{{ name }}`; `row` is none of them."""
        self.keys = keys
        """Written as `row["any name"]`."""

    @property
    def columns(self) -> frozenset[str]:
        """All that it asks of a row."""
        return self.names.difference(OF_ROWS) | self.keys

    def unknown(self, columns: Sequence[str]) -> Iterator[Flaw]:
        """Tell which names are no column, and not the file's, each with the nearest one there is."""
        for name in sorted(self.names.difference(columns, OF_ROWS) | self.keys.difference(columns)):
            near = get_close_matches(name, columns, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, columns[:20]))}"
            yield Flaw(name, f"the prompt names a column {name!r}, and there is none; {known}")

    def render(self, row: Mapping[str, Json], of_file: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return the prompt of a row, or of a file.

        Args:
            row: Its values by name; what is no text is inserted as compact JSON, null as nothing.
            of_file: What of `OF_FILE` there is; these names count for more than those of the row.

        Raises:
            ValueError: The row lacks a value that is named, or the prompt becomes too long; says so.
        """
        from jinja2 import TemplateError  # noqa: PLC0415  most files have no template

        pieces: list[str] = []
        size = 0
        try:
            for piece in self._compiled.generate({**row, **of_file, "row": row}):
                size += len(piece)
                if size > LONGEST_PROMPT:
                    raise ValueError(f"the prompt becomes longer than {LONGEST_PROMPT:,} characters")
                pieces.append(piece)
        except TemplateError as error:
            raise ValueError(_undefined(error.message or "", row)) from None
        except TypeError:
            raise ValueError("the prompt compares or filters values of this row that are of other kinds") from None
        return "".join(pieces)


def parse_template(text: str, first_line: int = 1, *, answers: bool = False) -> PromptTemplate:
    """Read a template, and compile it.

    Args:
        text: The prompt as it stands in its file.
        first_line: The line of the file on which it begins, for messages.
        answers: Whether it may name earlier answers.

    Raises:
        Broken: It is no template, or uses what is not allowed in a prompt; says at which line.
    """
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415  most files have no template

    if len(_PLACE.findall(text)) > MOST_PLACES:
        raise Broken(first_line, f"more than {MOST_PLACES:,} places ({{{{ or {{%) in one prompt")
    environment = _environment()
    try:
        _refuse_long_places(environment, text, first_line - 1)
        parsed = environment.parse(text)
        paths: frozenset[tuple[str | int, ...]] = frozenset()
        if answers:
            parsed = _with_keys_for_dots(parsed)
            paths = frozenset(_paths_of_answers(parsed, first_line - 1))
        names, keys = _checked(parsed, first_line - 1)
        names = names.difference(ANSWERS) if answers else names
        return PromptTemplate(environment.from_string(parsed), names, keys, paths)
    except TemplateSyntaxError as error:
        raise Broken(first_line - 1 + error.lineno, _explained(error.message or "", text)) from None
    except (RecursionError, MemoryError, SyntaxError):
        raise Broken(first_line, _TOO_DEEP) from None


def _objection(node: "nodes.Node") -> str:
    """Why a node may not stand in a prompt, whatever it names; empty where it may."""
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    if type(node).__name__ not in _NODES:
        return f"{_called(node)} is not allowed in a prompt"
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        return f"the filter {node.name} is not allowed in a prompt; {', '.join(_FILTERS)} are"
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        return f"the test {node.name} is not allowed in a prompt; {', '.join(_TESTS)} are"
    return ""


def _refuse_long_places(environment: "Environment", text: str, before: int) -> None:
    """Refuse what is dear to parse, before it is parsed."""
    count = 0
    for line, kind, _ in environment.lex(text):
        count = 0 if kind in {"data", "variable_begin", "block_begin"} else count + (kind != "whitespace")
        if count > MOST_TOKENS:
            raise Broken(before + line, f"more than {MOST_TOKENS} words and signs in one place; say it in several")


def _checked(parsed: "nodes.Template", before: int) -> tuple[frozenset[str], frozenset[str]]:
    """Refuse every node that is not on the list, and gather the names."""
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    names: set[str] = set()
    keys: set[str] = set()
    for node in _walk(parsed):
        line = before + (node.lineno or 1)
        if objection := _objection(node):
            raise Broken(line, objection)
        if isinstance(node, nodes.Output):
            _refuse_constants(node, before)
        if isinstance(node, nodes.Name):
            if node.name in _RESERVED:
                raise Broken(line, _write_as_key(node.name))
            names.add(node.name)
        if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name) and node.node.name == "row":
            if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, str):
                raise Broken(line, 'a column is named by its text: row["Ticket ID"]')
            keys.add(node.arg.value)
    return frozenset(names - {"row"}), frozenset(keys)


def _with_keys_for_dots(parsed: "nodes.Template") -> "nodes.Template":
    """Read `steps.outline` as `steps["outline"]`: a dot finds keys alone then, and no attribute of ours."""
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    above: list[nodes.Node] = [parsed]
    while above:
        node = above.pop()
        for name, value in node.iter_fields():
            if isinstance(value, nodes.Node):
                setattr(node, name, _with_key_for_dot(value))
            elif isinstance(value, list):
                value[:] = [_with_key_for_dot(each) if isinstance(each, nodes.Node) else each for each in value]
        above.extend(node.iter_child_nodes())
    return parsed


def _with_key_for_dot(node: "nodes.Node") -> "nodes.Node":
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    if not isinstance(node, nodes.Getattr) or _root_of(node) not in ANSWERS:
        return node
    key = nodes.Const(node.attr, lineno=node.lineno, environment=node.environment)
    return nodes.Getitem(node.node, key, node.ctx, lineno=node.lineno, environment=node.environment)


def _root_of(node: "nodes.Node") -> str | None:
    """The name with which a chain of dots and brackets begins."""
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None


def _paths_of_answers(parsed: "nodes.Template", before: int) -> Iterator[tuple[str | int, ...]]:
    """Find what is named of earlier answers, and refuse what names none of them."""
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    waiting: list[nodes.Node] = [parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.Name) and node.name in ANSWERS:
            said = "say whose answer: {{ steps.NAME }}" if node.name == "steps" else "is written {{ previous.text }}"
            raise Broken(before + node.lineno, f"{node.name} alone is no answer; {said}")
        if not isinstance(node, nodes.Getitem) or (root := _root_of(node)) not in ANSWERS:
            waiting.extend(node.iter_child_nodes())
            continue
        path: list[str | int] = []
        while isinstance(node, nodes.Getitem):
            if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, (str, int)):
                raise Broken(before + node.lineno, f"what stands behind {root} is named by its text, or its number")
            path.append(node.arg.value)
            node = node.node
        yield (root, *reversed(path))


def _walk(node: "nodes.Node") -> Iterator["nodes.Node"]:
    """All nodes without recursion: how deep they are nested is a stranger's choice."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.iter_child_nodes())


def _refuse_constants(output: "nodes.Output", before: int) -> None:
    """Refuse `{{ none }}`, which would print nothing where a column of that name was meant."""
    from jinja2 import nodes  # noqa: PLC0415  most files have no template

    for inner in output.nodes:
        base: nodes.Node | None = inner
        while isinstance(base, nodes.Filter):
            base = base.node
        if isinstance(base, nodes.Const):
            words = {"None": "none", "True": "true", "False": "false"}
            raise Broken(before + base.lineno, _write_as_key(words.get(repr(base.value))))


def _write_as_key(name: str | None) -> str:
    if name is None:
        return "a constant stands where a column is expected; write it as text, without {{ }}"
    return f'{name} is a word of the template language; a column of that name is written {{{{ row["{name}"] }}}}'


def _called(node: "nodes.Node") -> str:
    names = {
        "Getattr": "a dot behind a name",
        "Call": "a call",
        "For": "{% for %}",
        "Assign": "{% set %}",
        "AssignBlock": "{% set %}",
        "Include": "{% include %}",
        "Import": "{% import %}",
        "FromImport": "{% import %}",
        "Macro": "{% macro %}",
        "Slice": "a slice",
        "Concat": "~",
        "Mul": "*",
        "Pow": "**",
        "Add": "+",
        "Sub": "-",
        "Div": "/",
    }
    kind = type(node).__name__
    return names.get(kind, kind)


def _explained(message: str, text: str) -> str:
    found = _WORDS_IN_A_PLACE.search(text)
    if "end of print statement" in message and found:
        return f'a column with a blank is written {{{{ row["{found[1].strip()}"] }}}}'
    if "nexpected end of template" in message or "was expecting" in message:
        return "a {% … %} or {{ … }} is not closed"
    return f"not a template: {message.splitlines()[0] if message else 'it cannot be read'}"


def _undefined(message: str, row: Mapping[str, Json]) -> str:
    found = re.search(r"'([^']*)' is undefined|has no (?:attribute|element) '?([^']*)'?", message)
    name = next((each for each in found.groups() if each), "") if found else ""
    near = get_close_matches(name, list(row), n=1)
    said = f"; did you mean {near[0]!r}?" if near else ""
    return (
        f"this row has no {name!r}, which the prompt names{said}" if name else "the prompt cannot be made of this row"
    )


@cache
def _environment() -> "Environment":
    from jinja2 import StrictUndefined, Undefined  # noqa: PLC0415  most files have no template
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415  same

    def shown(value: Json) -> str:
        return str(value) if isinstance(value, Undefined) else _as_text(value)  # str() of it raises, with its name

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=shown
    )
    environment.globals.clear()
    environment.tests = {name: environment.tests[name] for name in _TESTS}
    environment.filters = {"default": environment.filters["default"], **_FILTERS_OF_TEXT}
    return environment


def _as_text(value: Json) -> str:
    """A text as it is, null as nothing, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _on_text(change: Callable[[str], str]) -> Callable[[Json], str]:
    return lambda value: change(_as_text(value))


def _truncate(value: Json, length: int = 255, end: str = "…") -> str:
    text = _as_text(value)
    return text if len(text) <= length else text[: max(0, length - len(end))] + end


def _length(value: Json) -> int:
    return len(value) if isinstance(value, (str, list, dict)) else len(_as_text(value))


_FILTERS_OF_TEXT: Final[Mapping[str, Callable[..., object]]] = {
    "trim": _on_text(str.strip),
    "lower": _on_text(str.lower),
    "upper": _on_text(str.upper),
    "truncate": _truncate,
    "tojson": lambda value: msgspec.json.encode(value).decode(),
    "length": _length,
}
_FILTERS: Final = ("trim", "default", "lower", "upper", "truncate", "tojson", "length")

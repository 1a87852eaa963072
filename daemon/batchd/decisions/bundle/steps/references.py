"""What a step may name of those before it, and what is wrong with what it names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batchd.decisions.bundle.steps.forms import Form, is_of, part_at, properties_of, shortest
from batchd.decisions.bundle.steps.script import ITEM
from batchd.decisions.rows.template import PromptTemplate
from batchd.text.spelling import closest
from batchd.text.strictjson import Json

_SHORTEST: Final = "?"


@dataclass(frozen=True, slots=True)
class Known:
    """A step before the one that is read."""

    schema: Form | None = None
    """Of its answer; None where that is a text."""
    joins: bool = False
    lists: bool = False
    """Whether it has as many answers as a list has entries."""
    sound: bool = True
    """Whether nothing is wrong with it, so that what it lacks is worth telling."""


@dataclass(frozen=True, slots=True)
class References:
    """The steps that may be named."""

    known: Mapping[str, Known]
    names: Sequence[str]
    """Of all steps, in their order."""

    def objection(self, name: str) -> str:
        """Say why a step cannot be named; nothing where it can."""
        if name in self.known:
            return ""
        if name in self.names:
            return f"{name} stands here or further down, and a step sees those before it alone; change their order"
        near = closest(name, self.names, 0.6)
        return f"there is no step {name!r}; {f'did you mean {near}?' if near else f'there are {self._listed()}'}"

    def _listed(self) -> str:
        return ", ".join(self.names)

    def list_of(self, said: Json) -> "Listed | str":
        """Find the list that `each` names, or say what is wrong."""
        if not isinstance(said, str) or not said:
            return "must name a list in the answer of a step, such as outline.chapters"
        name, *way = said.split(".")
        if wrong := self.objection(name):
            return wrong
        step = self.known[name]
        if step.joins or step.lists:
            return f"{name} has no single answer, and so no list; name a step that is asked once"
        if not step.sound:
            return Listed((name, *way))
        if step.schema is None:
            return f"{name} has no schema, so its answer is a text; give it one that has a list"
        return self._listed_at(step.schema, name, way)

    def _listed_at(self, schema: Form, name: str, way: Sequence[str]) -> "Listed | str":
        shown = ".".join(way)
        part = part_at(schema, way) if way else None
        if part is None:
            return f"the schema of {name} has no {shown!r}; {_lists(name, schema)}"
        if not is_of(part, "array") or not isinstance(part.get("items"), Mapping):
            return f"{shown!r} is no list by the schema of {name}; {_lists(name, schema)}"
        entry = part_at(schema, (*way, 0))
        if entry is None or not (is_of(entry, "string") or is_of(entry, "object")):
            return f"the entries of {shown!r} must be texts, or objects, by the schema of {name}"
        return Listed((name, *way), properties_of(entry), shortest(entry, schema))

    def wrong_names(self, template: PromptTemplate, listed: "Listed") -> Iterator[tuple[str, str]]:
        """Tell what a prompt names that there is not: the name, and what is wrong with it."""
        known = {ITEM, *listed.properties} if listed.way else set()
        for name in sorted((template.names | template.keys) - known):
            near = closest(name, known, 0.6)
            if not listed.way:
                said = "this step has no each to take it from"
            else:
                said = f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"
            yield name, f"the prompt names {name!r}, and there is none; {said}"
        for path in sorted(template.answers, key=str):
            wrong = self._wrong_answer(path, listed) if path[0] == "previous" else self._wrong_path(path)
            for said in wrong:
                yield ".".join(map(str, path)), said

    @staticmethod
    def _wrong_answer(path: tuple[str | int, ...], listed: "Listed") -> Iterator[str]:
        if path[1:] != ("text",):
            yield "the answer before it is written {{ previous.text }}"
        elif not listed.way:
            yield "{{ previous.text }} is the answer before it in the same step, which asks once: it needs each"

    def _wrong_path(self, path: tuple[str | int, ...]) -> Iterator[str]:
        name, *inside = path[1:]
        if wrong := self.objection(str(name)):
            yield wrong
            return
        step = self.known[str(name)]
        if not inside or not step.sound:
            return
        if step.joins or step.lists or step.schema is None:
            yield f"the answer of {name} is a text, which has no {inside[0]!r}"
        elif part_at(step.schema, inside) is None:
            yield f"the schema of {name} has no {'.'.join(map(str, inside))!r}"

    def samples(self, template: PromptTemplate, listed: "Listed") -> dict[str, Json]:
        """What the prompt names, as short as it may be."""
        answers: dict[str, Json] = {}
        for path in template.answers:
            if path[0] == "steps":
                step = self.known[str(path[1])]
                single = step.schema is not None and not step.lists and not step.joins
                answers[str(path[1])] = shortest(step.schema, step.schema) if single and step.schema else _SHORTEST
        return {ITEM: listed.entry, "steps": answers, "previous": {"text": ""}}


@dataclass(frozen=True, slots=True)
class Listed:
    """A list in an answer, of which each entry is asked."""

    way: tuple[str, ...] = ()
    """The step, and the properties that lead to it; empty for none."""
    properties: tuple[str, ...] = ()
    """Of its entries, where they are objects."""
    entry: Json = _SHORTEST
    """One of them, as short as it may be."""


NO_LIST: Final = Listed()


def _lists(name: str, schema: Form) -> str:
    found = [
        f"{name}.{key}"
        for key in properties_of(schema)
        if (part := part_at(schema, (key,))) is not None and is_of(part, "array")
    ]
    return f"lists are {', '.join(found)}" if found else "it has no list at its top"

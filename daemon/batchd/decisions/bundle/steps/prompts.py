"""What the files of a bundle say for a step: its prompt, and what goes along with it."""

import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from batchd.decisions.bundle.composing import with_pictures_marked
from batchd.decisions.bundle.steps.reading import STEPS, Reading
from batchd.decisions.jobfile.attachment import ATTACH
from batchd.decisions.rows.prompt_file import LONGEST
from batchd.decisions.rows.template import PromptTemplate, parse_template
from batchd.model import Problem
from batchd.text.characters import is_blank
from batchd.text.jsonscan import Broken
from batchd.text.spelling import closest
from batchd.text.strictjson import Flawed, Json

if TYPE_CHECKING:
    from batchd.decisions.jobfile.front_matter import Prose

_DOTTED: Final = r"(?<![\w.])steps\.({names})(?![a-z0-9-])"
_PLACE: Final = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


class _Prompt(NamedTuple):
    text: str
    template: PromptTemplate
    line: int
    """On which it begins."""


def read_prompt(found: Reading, name: str, path: Json) -> Generator[Problem, None, _Prompt | None]:
    """Read the prompt of a step; returns None where it is wrong."""
    place = f"{STEPS}.{name}.prompt"
    if not isinstance(path, str) or not path:
        yield found.problem(place, "missing; say which file of the bundle is asked, such as outline.md")
    elif path not in found.files.sizes:
        near = closest(path, found.files.sizes, 0.6)
        yield found.problem(place, f"{path!r} is no file of this bundle{f'; did you mean {near}?' if near else ''}")
    else:
        found.files.used.add(path)
        try:
            return _templated(found, _prose(found, path))
        except ValueError as error:
            yield found.told(path, 1, str(error))
        except Broken as broken:
            yield found.told(path, broken.line, broken.message)
    return None


def _prose(found: Reading, path: str) -> "Prose":
    """Read a text that is asked.

    Raises:
        ValueError: It cannot be asked; says why.
        Broken: The same, and at which line.
    """
    from batchd.decisions.jobfile.front_matter import read_prose  # noqa: PLC0415  YAML, which other files never need

    try:
        data = found.files.read(path, LONGEST)
        prose = read_prose(data.decode())
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8; save it as UTF-8") from None
    if len(data) > LONGEST:
        raise ValueError(
            f"is longer than {LONGEST:,} bytes, and a prompt may not be; put data into files that go along"
        )
    if prose.settings:
        raise ValueError(f"has settings in front; those of a step stand beside its prompt, in {found.where}")
    if is_blank(prose.prompt):
        raise ValueError("is empty; write into it what to ask")
    return prose


def _templated(found: Reading, prose: "Prose") -> _Prompt:
    text = with_pictures_marked(_keyed(prose.prompt, found.names))
    return _Prompt(text, parse_template(text, prose.line, answers=True), prose.line)


def _keyed(text: str, names: tuple[str, ...]) -> str:
    """Write `steps.my-step` as a key: a hyphen is a minus to the language of templates."""
    hyphened = sorted((name for name in names if "-" in name), key=len, reverse=True)
    if not hyphened:
        return text
    dotted = re.compile(_DOTTED.format(names="|".join(map(re.escape, hyphened))))
    return _PLACE.sub(lambda place: dotted.sub(r'steps["\1"]', place[0]), text)


def find_attached(found: Reading, name: str, patterns: Json) -> Generator[Problem, None, list[str]]:
    """Find the files that go along with a step; returns their paths."""
    paths: dict[str, None] = {}
    place = f"{STEPS}.{name}.{ATTACH}"
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        yield found.problem(place, 'must be a list of patterns, such as ["data/*.txt"]')
        return []
    for number, pattern in enumerate(patterns):
        if "{{" in pattern or "{%" in pattern:
            yield found.problem(f"{place}[{number}]", "names files as they are: {{ }} has no meaning here, in a step")
            continue
        try:
            paths |= dict.fromkeys(found.files.find(pattern, place))
        except Flawed as flawed:
            for flaw in flawed.flaws:
                yield found.problem(f"{place}[{number}]", flaw.message)
    return list(paths)

"""What reading the steps of a bundle has come to so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from batchd.decisions.bundle.files import Files
from batchd.decisions.bundle.steps.references import Known, References
from batchd.decisions.bundle.steps.script import Asked
from batchd.decisions.jobfile.rules import Rules
from batchd.decisions.rows.prompt_file import PromptFile, line_of
from batchd.model import Foreseen, Problem, Step
from batchd.text.strictjson import Json

STEPS: Final = "steps"
"""The setting's name."""

LoadSchema: TypeAlias = Callable[[str], Json]
"""Reads the schema that a file of the bundle holds, or raises a ValueError that says why not."""


@dataclass(slots=True)
class Reading:
    """What is known so far."""

    prompt: PromptFile
    text: str
    """Of the prompt file, in which lines are found."""
    where: str
    """Its path."""
    files: Files
    rules: Rules
    load: LoadSchema
    names: tuple[str, ...]
    steps: list[Step] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    """Bytes of the answers of each step together, at the most."""
    foreseen: list[Foreseen] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    wrong: bool = False

    @property
    def asking(self) -> frozenset[str]:
        """The names of the steps that ask, which their documents have, too."""
        said = self.prompt.own.steps
        return frozenset(name for name, each in said.items() if not isinstance(each, dict) or "join" not in each)

    def problem(self, place: str, message: str) -> Problem:
        """Tell what is wrong in the settings, at their line."""
        self.wrong = True
        return Problem(line_of(self.text, place), place, f"{self.where}: {message}")

    def told(self, path: str, line: int, message: str) -> Problem:
        """Tell what is wrong in another file of the bundle."""
        self.wrong = True
        return Problem(line, "", f"{path}: {message}")

    def references(self, name: str) -> References:
        """What a step may name."""
        return References({key: value for key, value in self.known.items() if key != name}, self.names)

"""Deliberate faults, a file a subject: which line of ours is broken into what, and the test that finds it."""

from importlib import import_module
from pathlib import Path

from tests.faults.torture.deliberate.mutation import Mutation

SUBJECTS: dict[str, tuple[Mutation, ...]] = {
    subject: import_module(f"{__package__}.{subject}").MUTATIONS
    for subject in sorted(file.stem for file in Path(__file__).parent.glob("[!_]*.py") if file.stem != "mutation")
}
"""All of them, by the name of their file."""

__all__ = ["SUBJECTS", "Mutation"]

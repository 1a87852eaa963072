"""Deliberate faults, a file a subject: which line of ours is broken into what, and the test that finds it."""

from importlib import import_module
from pathlib import Path

from tests.faults.torture.deliberate.mutation import Mutation

SUBJECTS = sorted(file.stem for file in Path(__file__).parent.glob("[!_]*.py") if file.stem != "mutation")

MUTATIONS: tuple[Mutation, ...] = tuple(
    mutation for subject in SUBJECTS for mutation in import_module(f"{__package__}.{subject}").MUTATIONS
)

__all__ = ["MUTATIONS", "Mutation"]

"""What `batchd doctor` says of queues that are none any more: folders of the name of a bundle."""

import os
from collections.abc import Iterator
from pathlib import Path

from batchd.cli.console import printable
from batchd.cli.doctor_checks import Finding, Health
from batchd.decisions.bundle.contents import PROMPT, SUFFIX, is_bundle
from batchd.edges import inbox
from batchd.settings import Settings


def old_queues(settings: Settings) -> Iterator[Finding]:
    """Name the folders that were queues in earlier versions, and whose name makes them one job each now.

    In the inbox that is one without a prompt: what is dropped into it is not taken. In the outbox it is one that holds
    the jobs of a queue, which somebody may still drop into.
    """
    for path in sorted(_unprompted(settings.inbox)):
        said = f"{printable(str(path))} is one job by its name, has no prompt, and is refused whole in the end"
        remedy = f"a queue has another name, such as {_queue(path)}; a job has a {PROMPT}"
        yield Finding("inbox", Health.WARNING, said, remedy)
    for path in sorted(_with_jobs(settings.outbox)):
        said = f"{printable(path.name)} was a queue in an earlier version; a folder of that name is one job now"
        remedy = f"drop files into a folder of another name, such as {_queue(path)}; the jobs there may stay"
        yield Finding("outbox", Health.WARNING, said, remedy)


def _queue(path: Path) -> str:
    return printable(path.name[: -len(SUFFIX)])


def _unprompted(place: Path) -> Iterator[Path]:
    """The folders of the inbox that are bundles without a prompt."""
    if not place.is_dir() or not os.access(place, os.R_OK | os.X_OK):
        return
    for candidate in inbox.scan(place):
        if candidate.tree is not None and candidate.tree.prompt is None:
            yield place / candidate.relative


def _with_jobs(place: Path) -> Iterator[Path]:
    """The folders at the top of the outbox that have a bundle's name, and jobs in them."""
    if not place.is_dir() or not os.access(place, os.R_OK | os.X_OK):
        return
    for path in place.iterdir():
        readable = is_bundle(path.name) and path.is_dir() and os.access(path, os.R_OK | os.X_OK)
        if readable and any((job / "job.json").is_file() for job in path.iterdir()):
            yield path

"""What a submission may cost, told while the daemon takes it: in one line, and only where it is soon reckoned."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from batchd.cli.check_view import charge_of
from batchd.cli.estimate import read_history
from batchd.cli.examining import examine
from batchd.cli.instructed import instructions_for
from batchd.client import dropping
from batchd.edges.clock import Clock
from batchd.journey.reading import rules_of
from batchd.settings import Settings

_SOON: Final = 50_000_000
"""Bytes that are read in a second or two; whoever submits more may ask `batchd check`."""


def price_of(
    sources: Sequence[Path], settings: Settings, prompt: Path | None, to: str, said: Mapping[str, object]
) -> str | None:
    """Say what files cost at the most, and what is likely; None where that is not soon said, or they are wrong.

    Args:
        prompt: As it was submitted beside them, as are the settings in `said`.
        to: A folder of the inbox.
    """
    if sum(_size(each) for each in sources) > _SOON:
        return None
    rules = replace(rules_of(settings), now=Clock().now())
    if len(sources) == 1 and sources[0].is_file() and prompt is None and not any(said.values()):
        beneath = instructions_for(sources[0], None, settings.inbox, rules, to)
        found = examine(sources[0], rules, _unseen, beneath)
    else:
        with tempfile.TemporaryDirectory() as inbox:
            dropping.submit(
                *sources, inbox=inbox, outbox=settings.outbox, prompt=prompt, to="", name="priced", ticket=None, **said
            )
            (bundle,) = Path(inbox).iterdir()
            found = examine(bundle, rules, _unseen)
    if not found.ok:
        return None
    history = read_history(settings, tuple(found.estimate.kinds))
    return f"{found.reading.total:,} request{'s' if found.reading.total != 1 else ''}, {charge_of(found, history)}"


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size


def _unseen(_so_far: int, _size: int) -> None:
    """Nobody watches."""

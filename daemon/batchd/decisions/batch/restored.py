"""Whether a state is older than what its outbox tells: a backup, a copied machine, commits that a power cut has lost.

Started without a word, an old state would send again what was paid since, and cut paid results off. Not everything that
looks odd is old: a crash leaves a file of intents that is behind the database, and one group of results that was
written and not acknowledged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

UNACKNOWLEDGED_LINES = 8192
UNACKNOWLEDGED_BYTES = 16 << 20
"""What may be written and not acknowledged at one time, of all jobs together, but for a last line: a crash leaves no
more, and so much is read and written again."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A job that is not finished, and what lies in its folder all the same."""

    name: str
    finished: bool = False
    """Whether `job.json` is there, though a request of it has no verdict."""
    lines_beyond: int = 0
    """Of `results.jsonl`, behind what is acknowledged."""
    bytes_beyond: int = 0
    """The same, without the last line."""

    @property
    def odd(self) -> bool:
        """Whether no crash leaves that."""
        return self.finished or self.lines_beyond > UNACKNOWLEDGED_LINES or self.bytes_beyond > UNACKNOWLEDGED_BYTES


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a state: of which installation, how often it was restored, how many creates it has begun."""

    installation: str
    epoch: int
    intents: int


def objection(here: Life, told: Life | None, found: Sequence[Found]) -> str | None:
    """Say in a sentence why a state must not simply be started; None where nothing speaks against it.

    Args:
        here: The state's own.
        told: What the outbox tells; None where it tells nothing.
        found: The jobs that are not finished.
    """
    odd = [each.name for each in found if each.odd]
    if odd:
        more = f" and {len(odd) - _NAMED:,} more" if len(odd) > _NAMED else ""
        named = ", ".join(odd[:_NAMED]) + more
        return f"it is older than the outbox, which has more of the jobs {named} than it knows"
    if told is None or told.installation != here.installation:
        return None
    if (told.epoch, told.intents) > (here.epoch, here.intents):
        count = told.intents - here.intents
        since = f"{count:,} creates" if told.epoch == here.epoch else "its restoring"
        return f"it is older than the outbox, which knows of {since} that it has lost"
    return None


def next_life(here: Life, told: Life | None) -> Life:
    """The life that a restored state begins: after every one that is known of."""
    lives = [here, told] if told and told.installation == here.installation else [here]
    return Life(here.installation, 1 + max(life.epoch for life in lives), max(life.intents for life in lives))

"""The one table of a batch's states: what may follow what, and what made it so.

The diagram in `docs/internals.md` is drawn from it, the database's CHECK is tested against it, and the
store refuses every step that is not in it. Nothing else has a stored machine: a request waits when it has
neither batch nor verdict, and a job has finished when each of its requests has a verdict.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a batch stands; each state is also a promise about what is durable."""

    PLANNED = "planned"
    """Its requests are chosen; nothing of it has left this machine."""
    INTENDED = "intended"
    """The intent is on disk, and one POST may have left: it may exist at the API, or not."""
    PROCESSING = "processing"
    """The API has it under `remote_id`."""
    ENDED = "ended"
    """Its results can be read."""
    SETTLED = "settled"
    """Every request of it has been delivered, or waits for another trip."""
    HELD = "held"
    """Nobody but a person can decide; money waits."""
    DISSOLVED = "dissolved"
    """It surely made no batch at the API, and its requests are free again."""


STEPS: dict[State, dict[State, str]] = {
    State.PLANNED: {
        State.INTENDED: "intent committed",
        State.DISSOLVED: "every job of it was cancelled",
    },
    State.INTENDED: {
        State.PROCESSING: "answered, or found in the list",
        State.ENDED: "streamed, whole or cut",
        State.PLANNED: "surely not created",
        State.DISSOLVED: "refused by the API",
        State.HELD: "cannot be decided here",
    },
    State.PROCESSING: {
        State.ENDED: "the API says so",
        State.HELD: "overdue, or unknown to the API",
    },
    State.ENDED: {
        State.SETTLED: "all results delivered",
        State.INTENDED: "the results are another's",
        State.HELD: "the results are gone",
    },
    State.HELD: {
        State.PROCESSING: "a person said: adopt, or go on",
        State.PLANNED: "a person said: send again",
        State.INTENDED: "its key is back",
        State.SETTLED: "a person said: drop",
    },
    State.SETTLED: {},
    State.DISSOLVED: {},
}

_INTENT = frozenset({"baseline_id", "baseline_time", "origin", "organization", "twin"})
_REMOTE = frozenset({"remote_id", "evidence", "submitted_at", "expires_at", "cancelled_at"})
_RESULTS = frozenset({"ended_at", "results_url"})
_LACKING = frozenset({"lacking", "lacking_since"})

CARRIES: dict[State, frozenset[str]] = {
    State.PLANNED: _INTENT | {"trouble"},
    State.INTENDED: _INTENT | {"doubted_at", "denied_since", "trouble"},
    State.PROCESSING: _INTENT | _REMOTE | {"next_poll_at", "denied_since", "trouble"},
    State.ENDED: _INTENT | _REMOTE | _RESULTS | _LACKING | {"trouble"},
    State.SETTLED: _INTENT | _REMOTE | _RESULTS | {"trouble"},
    State.HELD: _INTENT | _REMOTE | _RESULTS | _LACKING | {"doubted_at", "trouble"},
    State.DISSOLVED: _INTENT | {"trouble"},
}
"""Which optional columns a batch may carry in each state; a step clears whatever the new state does not carry."""

OPTIONAL = frozenset().union(*CARRIES.values())
"""Every column of a batch that some state does without."""

FINAL = frozenset(state for state, following in STEPS.items() if not following)
UNFINISHED = frozenset(State) - FINAL


def may_follow(before: State, after: State) -> bool:
    """Whether the table has this step.

    Args:
        before: The state a batch is in.
        after: The state it would be in.
    """
    return after in STEPS[before]


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, in the table's own order."""
    lines = ["stateDiagram-v2", "    [*] --> planned: requests packed"]
    for before, following in STEPS.items():
        lines += [f"    {before} --> {after}: {why}" for after, why in following.items()]
        if not following:
            lines.append(f"    {before} --> [*]")
    return "\n".join(lines) + "\n"

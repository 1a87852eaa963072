"""Why the requests of a job wait, where that is neither money nor a person it waits for: a pause, hours, a priority."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from batchd.edges.store import JobStanding, Pause, Standing, Store
from batchd.edges.store.turns import JobTurn
from batchd.model import JobId, Turn
from batchd.settings import Settings
from batchd.text.hours import hours_of


async def waits_in(store: Store, settings: Settings, standing: Standing, now: float) -> dict[JobId, str]:
    """Say what the jobs of a standing wait for, by the settings of whoever looks.

    Args:
        store: Theirs.
        settings: For what folders say.
        standing: With the jobs, and what is paused.
        now: Unix seconds; hours are meant by this machine's clock.
    """
    folders = {name: Turn(folder.priority, folder.hours or None) for name, folder in settings.folder.items()}
    turns = await store.turns.of(folders.keys())
    return waits(standing.jobs, turns, folders, standing.paused, datetime.fromtimestamp(now).astimezone())


def waits(
    jobs: Sequence[JobStanding],
    turns: Sequence[JobTurn],
    folders: Mapping[str, Turn],
    paused: Sequence[Pause],
    now: datetime,
) -> dict[JobId, str]:
    """Say what jobs wait for whose requests could go but for that.

    Args:
        jobs: Any.
        turns: What unfinished jobs say of their turn, and those of folders that say something.
        folders: What those folders say.
        paused: What is paused.
        now: By the clock that hours are meant by.
    """
    turn_of = {each.job: each.within(folders) for each in turns}
    found: dict[JobId, str] = {}
    free: dict[JobId, int] = {}
    for each in jobs:
        job, turn = each.job, turn_of.get(each.job.id, Turn())
        if not each.tally.waiting or job.hold is not None or job.step_bar is not None or job.cancel_wanted:
            continue
        pause = next((some for some in paused if _is_about(some, job.name)), None)
        hours = hours_of(turn.hours or "")
        opens_in = 0.0 if hours is None else hours.opens_in(now)
        if pause is not None:
            found[job.id] = "everything is paused" if pause.folder is None else f"folder {pause.folder} is paused"
        elif opens_in:
            opens = now + timedelta(seconds=opens_in)
            found[job.id] = f"it is sent in its hours alone ({turn.hours}), from {opens:%Y-%m-%d %H:%M} on"
        else:
            free[job.id] = turn.priority or 0
    highest = max(free.values(), default=0)
    lower = {job: priority for job, priority in free.items() if priority < highest}
    return found | {
        job: f"jobs of a higher priority go first ({highest} before {priority})" for job, priority in lower.items()
    }


def _is_about(pause: Pause, job: str) -> bool:
    return pause.folder is None or job.startswith(f"{pause.folder}/")

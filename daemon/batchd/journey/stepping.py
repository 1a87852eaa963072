"""The next step of a job: its requests are made of what those before it have answered, and wait as any others.

All of it may be repeated. What is written to the spool counts only from the commit on that stores the requests, and
that commit is made only where the job stands as it did when they were decided on. So a crash leaves bytes that nothing
names, and no request is stored twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from anyio import to_thread

from batchd.claude.price import dollars
from batchd.decisions.bundle.steps.advance import (
    MOST_AT_ONCE,
    Ask,
    Lacking,
    Pass,
    empty,
    entries_of,
    next_of,
    too_dear,
)
from batchd.decisions.bundle.steps.joining import joined
from batchd.decisions.bundle.steps.pricing import longest, worst_with
from batchd.decisions.bundle.steps.script import Script, read_script, requests_for
from batchd.decisions.jobfile.answer_form import SCHEMA
from batchd.decisions.jobfile.reader import Rules
from batchd.edges.clock import Clock
from batchd.edges.outbox import JobFolder
from batchd.edges.spool import append_all, read_from_spool
from batchd.edges.store import NewRequest, Store
from batchd.edges.store.steps import Answer, Taken
from batchd.journey.joins import text_of, texts_of
from batchd.journey.spooling import new_request
from batchd.model import Entry, Job, Problem, Step, StepBar, Steps
from batchd.text.jsonscan import Broken
from batchd.text.strictjson import Flawed, Json, Malformed, decode

log = structlog.get_logger()

MOST_BYTES: Final = 16_000_000
"""Of the requests that are made at one time."""


@dataclass(slots=True)
class _Made:
    """What the requests of a step came to."""

    entries: int = 0
    """Of its list; 1 where it is asked once."""
    requests: list[Entry] = field(default_factory=list)
    """The first of them."""
    costs: list[int | None] = field(default_factory=list)
    """Of each of those, in picodollars."""
    worst: int | None = 0
    """Of all that were looked at."""
    more: bool = False
    """Whether others follow."""
    wrong: list[Problem] = field(default_factory=list)
    """Why others cannot be made."""
    lacks_list: bool = False

    @property
    def cost(self) -> int | None:
        """Picodollars that the first of them can cost together."""
        known = [cost for cost in self.costs if cost is not None]
        return sum(known) if len(known) == len(self.costs) else None


class Stepping:
    """Takes the steps of jobs."""

    def __init__(self, store: Store, clock: Clock, outbox: Path, spool: Path, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._spool = spool
        self._rules = rules

    async def advance(self, job: Job) -> None:
        """Take the next steps of a job, until something of it is asked, or waits for a person.

        Raises:
            Unavailable: An answer cannot be read now.
            OSError: The disk refuses.
        """
        while job.steps is not None and await self._store.steps.is_due(job.id):
            job = await self._store.jobs.get(job.id)
            if job.steps is None or not await self._advanced(job, job.steps):
                return

    async def _advanced(self, job: Job, steps: Steps) -> bool:
        """Take one step, or a part of it; whether there may be another to take at once."""
        at = len(steps.steps) - job.steps_left
        match next_of(steps, at, await self._store.steps.standing(job.id), job.steps_passed):
            case Lacking(reason=reason):
                return await self._hold(job, reason, StepBar.ANSWERS)
            case Pass(note=note):
                return await self._pass(job, steps, at, note)
            case Ask():
                return await self._ask(job, steps, at)

    async def _pass(self, job: Job, steps: Steps, at: int, note: str = "") -> bool:
        taken = Taken(job.steps_left - 1, steps.counted_after(at), steps.is_open_after(at), note=note)
        return await self._store.steps.take(job, taken, now=self._clock.now())

    async def _hold(self, job: Job, reason: str, bar: StepBar) -> bool:
        if await self._store.steps.hold(job, reason, bar, now=self._clock.now()):
            log.warning("job held", job=job.name, reason=reason)
        return False

    async def _ask(self, job: Job, steps: Steps, at: int) -> bool:
        step = steps.steps[at]
        needed = {name for each in (step, *_joined_by(step, steps)) for name in each.needs}
        answers = {name: await self._store.steps.answers(job.id, steps.number(name)) for name in needed}
        own = await self._store.steps.answers(job.id, at)
        made = await to_thread.run_sync(partial(self._make, job, steps, step, answers, own))
        passed = job.steps_passed > at
        if made.lacks_list and not passed:
            return await self._hold(
                job, f"the answer of {step.each[0]} has no list {'.'.join(step.each)}", StepBar.PROMPTS
            )
        if made.wrong and not passed:
            return await self._hold(job, _said(step, made), StepBar.PROMPTS)
        if not made.requests:
            return await self._pass(job, steps, at, "" if made.entries else empty(step))
        begun = len(own)
        if step.each and not begun and (said := await self._too_dear(job, steps, at, made)):
            return await self._hold(job, said, StepBar.MONEY)
        after = steps.counted_after(at)
        cost = made.cost or 0
        rest = (made.worst or 0) - cost if not begun else job.later - cost - after
        later = after + max(rest, 0) * made.more
        covered = (step.each and not begun) or cost <= job.later - after
        taken = Taken(
            left=job.steps_left - (not made.more),
            later=later,
            open=steps.is_open_after(at),
            entries=made.entries if made.more else None,
            requests=await to_thread.run_sync(self._spooled, job, at, made),
            promised=bool(covered) and not job.released and made.cost is not None,
        )
        if await self._store.steps.take(job, taken, now=self._clock.now()):
            log.info("step begun", job=job.name, step=step.name, requests=len(taken.requests))
        return False

    async def _too_dear(self, job: Job, steps: Steps, at: int, made: _Made) -> str:
        """Say why a list has no room in what the job may cost; nothing where it has."""
        limit = await self._store.purses.limit_of(job.id)
        if limit.budget is None:
            return ""
        if made.worst is None:
            return "the price of its model is not known, and it has a budget"
        worst, after = made.worst, steps.counted_after(at)
        if limit.committed + worst + after <= limit.budget:
            return ""
        said = too_dear(steps.steps[at], made.entries, worst, limit.budget, limit.committed)
        return f"{said}; steps behind it may cost {dollars(after)}" if after else said

    def _make(
        self, job: Job, steps: Steps, step: Step, answers: Mapping[str, Sequence[Answer]], own: Sequence[Answer]
    ) -> _Made:
        """Make the requests of a step of its answers: as many as are stored at one time, or one after the other."""
        folder = JobFolder(self._outbox, job.name)
        script = read_script(read_from_spool(self._spool / job.claim, steps.offset, steps.size))
        made = _Made()
        values = {name: _value_of(name, steps, script, answers, folder) for name in _shown(step)}
        items: dict[int, Json] = {0: None}
        if step.each:
            found = entries_of(step, values[step.each[0]])
            made.lacks_list = found is None
            items = dict(enumerate(found or [], start=1))
        made.entries = len(items)
        known = {answer.custom_id for answer in own}
        items = {number: item for number, item in items.items() if _id_of(step, number) not in known}
        before = next((each.document for each in reversed(own) if each.complete and each.document), None)
        context: dict[str, Json] = {"steps": {name: values[name] for name in step.sees}}
        if step.previous:
            context["previous"] = {"text": text_of(folder, before) if before else ""}
        self._write(made, step, script, items, context, all_of=not own and bool(step.each))
        return made

    def _write(  # noqa: PLR0913  what its requests are made of
        self,
        made: _Made,
        step: Step,
        script: Script,
        items: Mapping[int, Json],
        context: Mapping[str, Json],
        *,
        all_of: bool,
    ) -> None:
        """Write requests until enough are made; where all are to be priced, the others are written and let go."""
        most, size = 1 if step.previous else MOST_AT_ONCE, 0
        try:
            for said in requests_for(script, step.name, items, context, self._rules):
                if isinstance(said, Problem):
                    made.wrong.append(said)
                if not isinstance(said, Entry):
                    continue
                more = longest(said) if step.previous and made.requests else 0
                worst = worst_with(said, more, self._rules.catalogue)
                made.worst = None if worst is None or made.worst is None else made.worst + worst
                if len(made.requests) < most and size < MOST_BYTES:
                    made.requests.append(said)
                    made.costs.append(worst)
                    size += len(said.params)
                    continue
                made.more = True
                if not all_of:
                    return
        except Broken as broken:
            made.wrong.append(Problem(0, "", broken.message))

    def _spooled(self, job: Job, at: int, made: _Made) -> list[NewRequest]:
        places = append_all(self._spool / job.claim, [entry.params for entry in made.requests])
        return [
            new_request(entry, cost, *place, step=at)
            for entry, cost, place in zip(made.requests, made.costs, places, strict=True)
        ]


def _joined_by(step: Step, steps: Steps) -> list[Step]:
    """The joins whose text a step shows."""
    return [each for each in steps.steps if each.join and each.name in step.sees]


def _shown(step: Step) -> list[str]:
    return list(dict.fromkeys((*step.each[:1], *step.sees)))


def _id_of(step: Step, number: int) -> str:
    return f"{step.name}/{number}" if number else step.name


def _value_of(
    name: str, steps: Steps, script: Script, answers: Mapping[str, Sequence[Answer]], folder: JobFolder
) -> Json:
    """What a prompt calls the answer of a step: data where it has a schema, else a text; of several, all joined."""
    step = steps.steps[steps.number(name)]
    of = step.join or (name,)
    text = "".join(joined(text for each in of for text in texts_of(folder, answers[each])))
    if step.join or step.each or SCHEMA not in script.asked[name].settings:
        return text
    try:
        value, _ = decode(text.strip())
    except (Malformed, Flawed):
        return text
    return value


def _said(step: Step, made: _Made) -> str:
    """Say why requests cannot be made, in words that quote no answer."""
    first = made.wrong[0]
    more = f" (and {len(made.wrong) - 1:,} more)" if len(made.wrong) > 1 else ""
    return f"{first.field or step.name} cannot be asked: {first.message}{more}"

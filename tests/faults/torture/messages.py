"""Kills a daemon at its steps while it sends messages by the sync lane, where nobody can look for what was lost.

Whoever is asked afterwards gives up what cannot be known. Then every request must be as in the undisturbed run or given
up, no more may be given up than were under way, and the API must not have been sent one twice as it was.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import anyio
from batchd.edges.store import DATABASE, open_store

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, look
from tests.faults.torture.processes import fork
from tests.faults.torture.scenario import Home, Scenario, jsonl
from tests.faults.torture.stage import PATIENCE, Play, Stage, Undisturbed
from tests.faults.torture.table import Row

UNDER_WAY = 2
"""Messages at one time."""
JOB = "now"


def messages(inbox: Path | None = None) -> Scenario:
    """Three requests that cannot wait."""
    prompts = [f"[sandbox: words {words}] Tell of number {words}." for words in (150, 250, 350)]
    job = json.dumps({"job": {"lane": "sync"}}).encode() + b"\n"
    content = job + jsonl(prompts, max_tokens=2_000)
    return Scenario({f"{JOB}.jsonl": content}, settings={"sync": {"concurrency": UNDER_WAY}}, inbox=inbox)


def sweep_messages(stage: Stage, undisturbed: Undisturbed, steps: Iterable[int], row: Row, until: float) -> Row:
    """Kill it at each of these steps; then let it finish, with somebody who answers, and judge."""
    for at in steps:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            if not play.run(StepBlow(at)).killed:
                continue  # a course that was shorter this time: no trial
            play.run()
            fork(partial(anyio.run, give_up, play.home), play.place).end(PATIENCE)
            ended = play.run()
            flaws = _judged(play, undisturbed)
            play.keep = bool(flaws)
            row.add(flaws, ended, f"SIGKILL at step {at}, see {play.place}")
    return row


async def give_up(home: Home) -> None:
    """Answer for whoever is asked about messages of which nobody can know."""
    async with open_store(home.state / DATABASE) as store:
        for batch in await store.batches.held():
            await store.resolutions.drop(batch, "nobody can know")


def _judged(play: Play, undisturbed: Undisturbed) -> Flaws:
    flaws = Flaws()
    ledger = play.judge.ledger()
    sent = Counter(each["digest"] for each in ledger["messages"])
    flaws.doubled += [f"message {digest[:8]} sent {count} times" for digest, count in sent.items() if count > 1]
    job, whole = look(play.home, ledger).jobs.get(JOB), undisturbed.left.jobs[JOB]
    if job is None:
        flaws.lost.append(f"job {JOB}")
        return flaws
    verdicts = {each["custom_id"]: each["verdict"] for each in job.report}
    flaws.lost += [f"request {each['custom_id']}" for each in whole.report if each["custom_id"] not in verdicts]
    given_up = [custom_id for custom_id, verdict in verdicts.items() if verdict == "canceled"]
    if len(given_up) > UNDER_WAY:
        flaws.lost.append(f"{len(given_up)} requests given up, and {UNDER_WAY} were under way")
    flaws.wrong += [
        f"{name} is {verdict}" for name, verdict in verdicts.items() if verdict not in {"complete", "canceled"}
    ]
    flaws.wrong += [
        f"the text of {custom_id} differs"
        for custom_id, verdict in verdicts.items()
        if verdict == "complete" and job.files.get(_document(custom_id)) != whole.files[_document(custom_id)]
    ]
    return flaws


def _document(custom_id: str) -> str:
    return f"documents/{custom_id}.md"

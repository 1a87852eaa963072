"""Answers the sync lane with streams of every odd kind, undisturbed and killed at a step, and judges what comes of it.

Whatever a stream is like, each request is paid once and whole, or it is told that it is not and why; nothing is stuck,
and no less is told than was charged. Only what the API itself has broken off is sent again, and each sending is told.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import anyio
from batchd.sandbox import Fault
from batchd.sandbox.faults.streaming import ODDITIES, PACKAGE

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, look
from tests.faults.torture.messages import JOB, give_up, messages
from tests.faults.torture.processes import fork
from tests.faults.torture.stage import PATIENCE, Play, Stage, Undisturbed
from tests.faults.torture.table import Row

BROKEN_OFF_BY_THE_API = frozenset({"error_event", "error_text"})
_PLACES = (0, 300, 900, 1_500)
"""Bytes of a stream: before it, within its beginning, within its text."""


def faults() -> Iterator[Fault]:
    """Every odd stream, and every way in which one ends before its time."""
    for kind in (*ODDITIES, "whole_json"):
        yield Fault(route="message", kind=kind, times=None)
    for kind, at in product(("cut", "unfinished", *sorted(BROKEN_OFF_BY_THE_API), "only_pings"), _PLACES):
        yield Fault(route="message", kind=kind, at=at, seconds=0.05, status=529)


def sweep_odd_streams(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, chosen: Iterable[Fault], row: Row, *, seed: int, until: float
) -> Row:
    """Play each of these, once as it is and once with a kill; what is held is given up, and all is judged."""
    luck = random.Random(seed)  # noqa: S311  no secret
    scenario = replace(messages(), settings={**messages().settings, "api": {"timeout": 0.5}})
    for number, fault in enumerate(chosen):
        odd = Stage(replace(scenario, faults=(fault,)), stage.folder / f"odd-{number}")
        for blow in (None, StepBlow(luck.randint(1, len(undisturbed.steps)))):
            if time.monotonic() > until:
                row.note = "time was up"
                return row
            with odd.play() as play:
                stuck = play.run(blow).status is None
                play.run()
                fork(partial(anyio.run, give_up, play.home), play.place).end(PATIENCE)
                ended = play.run()
                flaws = _judged(play, undisturbed, fault, killed=blow is not None)
                if stuck or ended.status is None:
                    flaws.lost.append("it was stuck")
                play.keep = bool(flaws)
                row.add(flaws, ended, f"{fault.kind} at {fault.at}, {blow or 'undisturbed'}, see {play.place}")
    return row


def _judged(play: Play, undisturbed: Undisturbed, fault: Fault, *, killed: bool) -> Flaws:
    flaws, kind = Flaws(), fault.kind
    ledger = play.judge.ledger()
    job, whole = look(play.home, ledger).jobs.get(JOB), undisturbed.left.jobs[JOB]
    if job is None:
        flaws.lost.append(f"job {JOB}")
        return flaws
    told = {each["custom_id"]: each for each in job.report}
    flaws.lost += [f"request {each['custom_id']}" for each in whole.report if each["custom_id"] not in told]
    sent = Counter(each["digest"] for each in ledger["messages"])
    if kind not in BROKEN_OFF_BY_THE_API:
        flaws.doubled += [f"message {digest[:8]} sent {count} times" for digest, count in sent.items() if count > 1]
    trips = sum(each["attempts"] for each in job.report)
    if sent.total() > trips:
        flaws.doubled.append(f"{sent.total()} messages were sent, and {trips} are told")
    for custom_id, line in told.items():
        text = job.files.get(f"documents/{custom_id}.md", b"").decode()
        if line["verdict"] != "complete":
            if not line["reason"]:
                flaws.wrong.append(f"{custom_id} is {line['verdict']} and does not say why")
        elif _said(text, kind) != whole.files[f"documents/{custom_id}.md"].decode():
            flaws.wrong.append(f"the text of {custom_id} is not whole, and it is called complete")
    # Of what a kill cut off before anything was written down, a person has said that nobody can know; and an API whose
    # first event is an error says that it has not begun.
    begun = kind not in BROKEN_OFF_BY_THE_API or fault.at
    if begun and not killed and not any(line["verdict"] == "canceled" for line in told.values()):
        flaws.wrong += _told_too_little(job.report, ledger["messages"])
    return flaws


def _said(text: str, kind: str) -> str:
    return text.replace(PACKAGE, "") if kind == "half_pairs" else text.replace("\u00e9", "e")


def _told_too_little(report: list[dict[str, Any]], charged: list[dict[str, Any]]) -> Iterator[str]:
    if any(line["cost_usd"] is None for line in report):
        return  # it is told that the cost is not known
    for name in ("input_tokens", "output_tokens"):
        told = sum(line[name] for line in report)
        paid = sum(each["usage"][name] for each in charged)
        if told < paid:
            yield f"{paid} {name} were charged, and {told} are told: {json.dumps(report)[:200]}"

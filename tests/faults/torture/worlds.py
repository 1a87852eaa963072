"""Odd worlds, drawn at random: what the API's list and its clocks say, who else uses the key, what the account lacks.

Each is played as it is and with a kill. Whatever the world is like, what comes of it must be as in the undisturbed run.
"""

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchd.sandbox import Fault
from batchd.sandbox.faults.account import TROUBLES

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, compare, look
from tests.faults.torture.processes import Ended
from tests.faults.torture.scenario import Scenario, everything, jsonl
from tests.faults.torture.stage import Play, Stage, Undisturbed
from tests.faults.torture.table import Row

_CLOCKS = (
    Fault(route="any", kind="no_date", times=None),
    *(Fault(route="any", kind="date", times=None, seconds=seconds) for seconds in (4.0, 300.0, -4.0, -300.0)),
    *(Fault(route="any", kind="created_at", times=None, seconds=seconds) for seconds in (-200.0, -3.0, 3.0, 200.0)),
)
_ORDERS = tuple(
    Fault(route="list", kind=kind, times=None) for kind in ("oldest_first", "shuffled", "repeating", "unpaged")
)
_COUNTS = (
    *(Fault(route="list", kind=kind, times=None) for kind in ("no_counts", "zero_counts")),
    *(Fault(route="any", kind=kind, times=None) for kind in ("no_counts", "zero_counts", "sparse")),
)
_HIDING = {"no_counts", "zero_counts"}
_COMPANY = tuple(
    Fault(route="create", kind="foreign_batch", times=times, at=at, seconds=seconds)
    for times, at, seconds in ((None, 0, 0.0), (None, 0, 30.0), (2, 0, 2.0), (3, 1, 0.0))
)
_UNANSWERED = (
    Fault(route="create", kind="reset"),
    Fault(route="create", kind="half"),
    Fault(route="create", kind="garbled"),
    Fault(route="create", kind="close"),
    Fault(route="create", kind="close_late"),
    Fault(route="create", kind="misdirected", at=1),
    *(
        Fault(route="create", kind="status", status=status, lands=lands)
        for status in (408, 500, 529)
        for lands in (True, False)
    ),
    *(Fault(route="create", kind="odd_status", status=status) for status in (201, 202, 204, 303)),
)
_NEXT_IS_HIDDEN = Fault(route="create", kind="unlisted", seconds=40.0, times=None)
"""What is created shows late, and within `api.doubt`."""
MOST_CREATES = 10
"""Creates in vain while the account is in trouble, fewer than that; where only results tell of it, besides those that
are out by then; and another for each start."""


def lists(luck: random.Random) -> list[Fault]:
    """A world of odd and foreign lists, in which some creates are not answered."""
    lasting = [luck.choice(kinds) for kinds in (_CLOCKS, _ORDERS, _COUNTS, _COMPANY) if luck.random() < 0.6]
    hidden = [_NEXT_IS_HIDDEN] if luck.random() < 0.3 else []
    unanswered = luck.choices(_UNANSWERED, k=luck.randint(1, 3))
    if any(fault.route == "any" and fault.kind in _HIDING for fault in lasting):
        # An answer that names somebody else's batch and hides its count is believed until its results come, and then
        # a person is asked: nothing that could end by itself.
        unanswered = [fault for fault in unanswered if fault.kind != "misdirected"]
    return [*lasting, *hidden, *unanswered]


def account(luck: random.Random) -> list[Fault]:
    """A world in which the account is in trouble for up to an hour, as the API or each request tells it."""
    kind = luck.choice([kind for kind in TROUBLES if kind != "ramp_limit"])
    after, minutes, late = luck.choice((0, 0, 1, 2)), luck.choice((2.0, 5.0)), luck.random() < 0.5
    return [Fault(route="create", kind=kind, times=None, after=after, ends=minutes * 60.0, late=late)]


def calm(inbox: Path | None = None) -> Scenario:
    """All of it but for the request that fails once by itself: how often it is sent would tell nothing."""
    whole = everything(inbox)
    return replace(
        whole, files={**whole.files, "words.jsonl": jsonl(["tide", "wind", "[sandbox: unicode] rain"])}, faults=()
    )


def sweep_lists(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, numbers: Iterable[int], row: Row, *, seed: int, until: float
) -> Row:
    """Play worlds of odd lists."""
    worlds = ((n, lists(random.Random(f"{seed} {n}"))) for n in numbers)  # noqa: S311  no secret
    for play, told, ended in _played(stage, undisturbed, everything(), worlds, row, until):
        ledger = play.judge.ledger()
        known = {digest: count for digest, count in ledger["accepted"].items() if digest in undisturbed.left.accepted}
        flaws = compare(look(play.home, {**ledger, "accepted": known}), undisturbed.left)
        flaws.wrong += [f"{each['id']} is another's, and cancelled" for each in ledger["batches"] if _is_harmed(each)]
        _count(row, play, flaws, ended, told)
    return row


def sweep_accounts(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, numbers: Iterable[int], row: Row, *, seed: int, until: float
) -> Row:
    """Play worlds in which the account is in trouble: what is judged is what was paid for, not what was asked."""
    worlds = ((n, account(random.Random(f"{seed} {n}"))) for n in numbers)  # noqa: S311  no secret
    for play, told, ended in _played(stage, undisturbed, calm(), worlds, row, until):
        ledger = play.judge.ledger()
        whole = replace(undisturbed.left, accepted=Counter(dict.fromkeys(undisturbed.left.accepted, 1)))
        flaws = compare(look(play.home, {**ledger, "accepted": ledger["billed"]}), whole)
        out = len(undisturbed.left.jobs) if "'late': True" in told else 0
        if (vain := _in_vain(ledger)) >= MOST_CREATES + out + 1:
            flaws.wrong.append(f"{vain} creates in vain")
        _count(row, play, flaws, ended, told)
    return row


def _played(  # noqa: PLR0913  what a play is made of
    stage: Stage,
    undisturbed: Undisturbed,
    scenario: Scenario,
    worlds: Iterable[tuple[int, Sequence[Fault]]],
    row: Row,
    until: float,
) -> Iterator[tuple[Play, str, Ended]]:
    for number, faults in worlds:
        if time.monotonic() > until:
            row.note = "time was up"
            return
        blow = StepBlow(1 + number * 37 % len(undisturbed.steps)) if number % 2 else None
        odd = Stage(replace(scenario, faults=tuple(faults)), stage.folder / f"world-{number}")
        with odd.play() as play:
            play.run(blow)
            ended = play.run()
            yield play, f"{', '.join(map(_told, faults))}; {blow or 'undisturbed'}, see {play.place}", ended


def _count(row: Row, play: Play, flaws: Flaws, ended: Ended, told: str) -> None:
    if ended.status != 0:
        flaws.lost.append(f"the last run did not end ({ended.status})")
    play.keep = bool(flaws)
    row.add(flaws, ended, told)


def _is_harmed(entry: Mapping[str, Any]) -> bool:
    strange = any(custom_id.startswith("somebody") for custom_id in entry["requests"])
    return strange and (entry["canceled"] or entry["deleted"])


def _in_vain(ledger: Mapping[str, Any]) -> int:
    """Creates that were refused, or of whose requests each came back errored."""
    failed = sum(each["ended_at"] is not None and not each["billed"] for each in ledger["batches"])
    return int(failed + sum(route == "create" and status not in {200, None} for _, route, status in ledger["calls"]))


def _told(fault: Fault) -> str:
    shown = {
        name: getattr(fault, name) for name in ("times", "after", "ends", "status", "at", "seconds", "lands", "late")
    }
    plain = Fault(route=fault.route, kind=fault.kind)
    return f"{fault.kind}{ {name: value for name, value in shown.items() if value != getattr(plain, name)} or '' }"

"""What is kept: tickets that are used again and again; `batchd prune` and `backup`, killed at each of their steps."""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from batchd.cli.commands import main
from batchd.edges.store import DATABASE

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, compare, look
from tests.faults.torture.processes import Ended, fork
from tests.faults.torture.restored import drop_again, judged, live_on
from tests.faults.torture.scenario import Home, Scenario, jsonl
from tests.faults.torture.stage import PATIENCE, Stage, Undisturbed
from tests.faults.torture.table import Row

_TICKETS = {name: f"{number}" * 26 for number, name in enumerate(("a", "b", "nightly/c", "wrong"))}
_LOOKS = (("prune", "--older-than", "0d"), ("prune", "--older-than", "0d", "--what", "documents_only"))
_REQUESTS = ("request.jsonl", "request.md", "request")


def tickets(inbox: Path | None = None) -> Scenario:
    """Files that each have a ticket: two that are sound, one in a queue, and one that is refused."""
    contents = {"a": jsonl(["rye", "oats"]), "b": jsonl(["salt"]), "nightly/c": jsonl(["malt"]), "wrong": b"{\n"}
    return Scenario(
        files={f"{name}.@{_TICKETS[name]}.jsonl": content for name, content in contents.items()},
        settings={"batch": {"max_requests": 3, "linger": 1.0}, "intake": {"settle": 0.0, "duplicate_window": 0.0}},
        inbox=inbox,
    )


def submit_again(stage: Stage, undisturbed: Undisturbed, steps: Iterable[int], row: Row, until: float) -> Row:
    """Kill at each of these steps, submit all again under the same tickets, and once more when all has ended."""
    for step in steps:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            struck = play.run(StepBlow(step))
            play.scenario.drop_all(play.home.inbox)
            play.run()
            play.scenario.drop_all(play.home.inbox)
            ended = play.run()
            flaws = compare(look(play.home, play.judge.ledger()), undisturbed.left)
            flaws.wrong += _receipts(play.home)
            if ended.status != 0:
                flaws.lost.append(f"the last run did not end ({ended.status})")
            play.keep = bool(flaws)
            if flaws or struck.killed:
                row.add(flaws, ended, f"step {step}, see {play.place}")
    return row


def _receipts(home: Home) -> list[str]:
    """What is wrong with the receipts: each ticket has one, of what became of its file."""
    said: list[str] = []
    for name, ticket in _TICKETS.items():
        file = home.outbox / ".tickets" / f"{ticket}.json"
        told = json.loads(file.read_text("utf-8")) if file.exists() else {}
        wanted = ("rejected", None) if name == "wrong" else ("accepted", name)
        if (told.get("state"), told.get("job")) != wanted:
            said.append(f"the receipt of {name} is {told}")
    return said


def prune_and_kill(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, row: Row, *, quick: bool, seed: int, until: float
) -> Row:
    """Finish everything once; then let it be pruned, killed at each step in a copy of its own, and go on."""
    with stage.play() as play:
        play.run()
        for words in _LOOKS:
            whole = _copy(play.home, play.place / f"whole-{len(words)}")
            _command(whole, words, StepBlow())
            count = len((whole.place / "steps").read_text().splitlines())
            steps = list(range(1, count + 1))
            random.Random(seed).shuffle(steps)  # noqa: S311  no secret
            for step in steps[:4] if quick else steps:
                if time.monotonic() > until:
                    row.note = "time was up"
                    return row
                home = _copy(play.home, play.place / f"{words[-1]}-{step}")
                struck = _command(home, words, StepBlow(step))
                flaws = Flaws(wrong=_half_gone(home, undisturbed))
                ended = _command(home, words, None)
                if ended.status != 0:
                    flaws.wrong.append(f"it did not go on ({ended.status})")
                flaws.wrong += _differs(whole, home)
                if _spent(home) != _spent(play.home):
                    flaws.wrong.append("sums have changed")
                play.keep |= bool(flaws)
                if flaws or struck.killed:
                    row.add(flaws, ended, f"{' '.join(words)}, killed at step {step}, see {home.place}")
                if not flaws:
                    shutil.rmtree(home.place)
    return row


def back_up_and_kill(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, steps: Iterable[int], row: Row, *, seed: int, until: float
) -> Row:
    """Back up at each of these steps, killed once in doing so; live on; restore elsewhere, and judge."""
    luck = random.Random(seed)  # noqa: S311  no secret
    for step in steps:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        with stage.play() as play:
            child = play.start(StepBlow(step, signal.SIGSTOP))
            if not child.wait_until_stopped(PATIENCE):
                continue
            flaws = Flaws()
            torn, whole, home = play.place / "torn", play.place / "whole", play.home
            struck = _command(home, ("backup", str(torn)), StepBlow(luck.randint(1, 60)))
            saved = _command(home, ("backup", str(whole)), None).status == 0
            os.kill(child.pid, signal.SIGCONT)
            life = live_on(child, luck)
            if not saved:  # there was no database yet
                continue
            shutil.rmtree(home.state)
            if struck.killed and not (torn / "backup.json").exists():
                if _command(home, ("restore", str(torn)), None).status != 2:
                    flaws.wrong.append("a backup that is not whole was restored")
                shutil.rmtree(home.state, ignore_errors=True)
            if (status := _command(home, ("restore", str(whole)), None).status) != 0:
                flaws.wrong.append(f"it was not restored ({status})")
            else:
                drop_again(play)
                if play.run().status == 0:
                    flaws.wrong.append("a restored state was started as if it were none")
                ended = play.run(restored=True)
                if ended.status != 0:
                    flaws.lost.append(f"the restored run did not end ({ended.status})")
                flaws += judged(play, undisturbed.left)
            play.keep = bool(flaws)
            row.add(flaws, struck, f"backup at step {step}, {life}, see {play.place}")
    return row


def _command(home: Home, words: Sequence[str], blow: StepBlow | None) -> Ended:
    """Run a command in a process of its own, to its end or its death."""

    def work() -> None:
        places = ("--inbox", str(home.inbox), "--outbox", str(home.outbox), "--state", str(home.state))
        sys.argv = ["batchd", *words, *places]
        if blow is not None:
            blow.strike(home.place / "steps")
        os._exit(main())

    return fork(work, home.place).end(PATIENCE)


def _copy(home: Home, to: Path) -> Home:
    copy = Home(to, to / "inbox")
    shutil.copytree(home.outbox, copy.outbox, symlinks=True)
    shutil.copytree(home.state, copy.state, symlinks=True)
    copy.inbox.mkdir()
    return copy


def _half_gone(home: Home, undisturbed: Undisturbed) -> list[str]:
    """Jobs of which a part is gone that nobody asked to go: a folder goes as a whole, and what is packed is there."""
    said: list[str] = []
    for name, job in undisturbed.left.jobs.items():
        folder = home.outbox / name
        if not (folder / "job.json").exists():
            continue
        said += [
            f"{name}/{file} is gone"
            for file in job.files
            if Path(file).parts[0] not in _REQUESTS and not (folder / file).exists()
        ]
        if not any((folder / f"results.jsonl{ending}").exists() for ending in ("", ".zst")):
            said.append(f"the results of {name} are gone")
    return said


def _differs(whole: Home, home: Home) -> list[str]:
    """What is there after a crash that would not be without, or is not."""
    mine, theirs = ({str(each.relative_to(of.place)) for each in of.outbox.rglob("*")} for of in (home, whole))
    return [f"{name} is there in one of two" for name in sorted(mine ^ theirs)]


def _spent(home: Home) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home.state / DATABASE)) as database:
        return database.execute("SELECT * FROM spent ORDER BY 1, 2, 3, 4, 5").fetchall()

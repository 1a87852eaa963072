"""Do the tests bite? Our code is broken on purpose, in a copy, and the test that is named for it must turn red.

    python -m tests.faults.torture.mutations [SUBJECT | INVARIANT …]

Subjects are the files in `deliberate`; invariants are numbered as in `docs/reliability.md`. First all those tests run
on the unbroken code, so that none finds a fault by being red anyway; then each fault is tried against its own test.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from tests.faults.torture.deliberate import SUBJECTS, Mutation
from tests.support.house import House

ROOT = Path(__file__).parents[3]
GREEN, RED = 0, 1
"""Exit codes of pytest."""
NEVER = 60.0
"""Seconds after which a test knows that what it waits for does not come; unbroken, it has to come within them, too."""
STUCK = 300.0
"""Seconds after which a test that does not end counts as one that has noticed."""
PRELOADED = (House, hypothesis)
"""What brings in everything that tests import and that is not our own: a child begins with it."""
PYTEST = (
    *("-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"),
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",  # of what a child has imported before
)
_GLANCE = 0.05
"""Seconds between looks at the tests that run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A deliberate fault, and whose it is."""

    subject: str
    mutation: Mutation


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one fault."""

    fault: Fault
    code: int | None
    """How pytest ended; None where it did not end in time."""
    seconds: float

    @property
    def found(self) -> bool:
        return self.code in {RED, None}

    @property
    def verdict(self) -> str:
        match self.code:
            case 0:
                return "SURVIVED"
            case 1 | None:
                return "found"
            case code:
                return f"NOT TRIED (pytest ended with {code})"


class Copy:
    """A copy of the sources, in which one line at a time is broken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for part in ("daemon", "tests"):
            shutil.copytree(ROOT / part, folder / part)
        for part in ("pyproject.toml", "README.md"):
            shutil.copy2(ROOT / part, folder / part)
        for part in ("docs", "systemd", "examples"):
            (folder / part).symlink_to(ROOT / part)

    def broken(self, mutation: Mutation) -> "Mended":
        """Break a line of it until that is mended."""
        file = self._folder / mutation.file
        mended = Mended(file, file.read_text("utf-8"), file.stat().st_mtime_ns)
        file.write_text(mended.text.replace(mutation.before, mutation.after), "utf-8")
        return mended

    def log(self) -> str:
        """What the last tests on it have printed."""
        return (self._folder / "log").read_text("utf-8", "replace")

    def start(self, *words: str) -> int:
        """Run tests on it as it is now, in a child that has imported all but our own code; returns its id."""
        if pid := os.fork():
            return pid
        try:
            os.setsid()
            os.chdir(self._folder)
            log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for descriptor in (1, 2):
                os.dup2(log, descriptor)
            os.environ["PYTHONPATH"] = f"{self._folder / 'daemon'}:{self._folder}"
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            os.environ["TORTURE_NEVER"] = str(NEVER)
            sys.dont_write_bytecode = True
            for name in [name for name in sys.modules if name.partition(".")[0] in {"batchd", "tests"}]:
                del sys.modules[name]
            sys.path[:0] = [str(self._folder / "daemon"), str(self._folder)]
            code = int(pytest.main([*PYTEST, *words]))
        except BaseException as error:  # noqa: BLE001  a child must never go on as its parent
            sys.excepthook(type(error), error, error.__traceback__)
            code = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@dataclass(frozen=True, slots=True)
class Mended:
    """What a file was before it was broken."""

    file: Path
    text: str
    written_at: int

    def mend(self) -> None:
        """Put it back, with its age, so that what was compiled from it is good again."""
        self.file.write_text(self.text, "utf-8")
        os.utime(self.file, ns=(self.written_at, self.written_at))


def main(words: Sequence[str]) -> int:
    """Try the chosen faults, all without a word, and sum up by subject; 1 if one survives or cannot be tried."""
    chosen = _arguments().parse_args(words)
    known = set(SUBJECTS) | {each.invariant for mutations in SUBJECTS.values() for each in mutations}
    if unknown := set(chosen.only) - known:
        sys.stderr.write(f"no subject or invariant: {', '.join(unknown)}; there are: {', '.join(sorted(known))}\n")
        return 2
    wanted = [
        Fault(subject, mutation)
        for subject, mutations in SUBJECTS.items()
        for mutation in mutations
        if not chosen.only or {subject, mutation.invariant} & set(chosen.only)
    ]
    if gone := [each.mutation for each in wanted if each.mutation.before not in _source(each.mutation)]:
        sys.stderr.writelines(f"{each.file} has no {each.before!r} any more: {each.fault}\n" for each in gone)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copies = [Copy(Path(folder) / str(number)) for number in range(chosen.jobs)]
        tests = sorted({each.mutation.test for each in wanted})
        if _waited(copies[0].start("--numprocesses", str(chosen.jobs), "--dist", "loadfile", *tests)) != GREEN:
            sys.stderr.write(f"{copies[0].log()}\nred, although nothing is broken\n")
            return 2
        _say(f"the {len(tests)} tests that are named are green while nothing is broken\n")
        trials = list(_tried(wanted, copies))
    _sum_up(trials, time.monotonic() - began)
    return 0 if all(trial.found for trial in trials) else 1


def _source(mutation: Mutation) -> str:
    return (ROOT / mutation.file).read_text("utf-8")


def _waited(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@dataclass(frozen=True, slots=True)
class _Running:
    fault: Fault
    copy: Copy
    mended: Mended
    began: float


def _tried(wanted: Sequence[Fault], copies: Sequence[Copy]) -> Iterator[Trial]:
    """Try every fault, one in each copy at one time, and tell of each as it ends."""
    waiting, free, running = list(reversed(wanted)), list(copies), dict[int, _Running]()
    while waiting or running:
        while waiting and free:
            fault, copy = waiting.pop(), free.pop()
            mended = copy.broken(fault.mutation)
            running[copy.start(fault.mutation.test)] = _Running(fault, copy, mended, time.monotonic())
        time.sleep(_GLANCE)
        for pid, its in list(running.items()):
            seconds = time.monotonic() - its.began
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended and seconds < STUCK:
                continue
            if not ended:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            its.mended.mend()
            free.append(its.copy)
            del running[pid]
            trial = Trial(its.fault, os.waitstatus_to_exitcode(status) if ended else None, seconds)
            _say(f"{trial.verdict:<9}{seconds:>6.1f} s  {its.fault.mutation.fault}")
            yield trial


def _sum_up(trials: Sequence[Trial], seconds: float) -> None:
    """Print a line a subject, and those that survived, with all that is needed to mend their tests."""
    _say(f"\n{'subject':<14}{'faults':>7}{'found':>7}{'survived':>10}")
    for subject in SUBJECTS:
        if its := [trial for trial in trials if trial.fault.subject == subject]:
            _say(_line(subject, its))
    _say(_line("all", trials))
    left = [trial for trial in trials if not trial.found]
    for trial in left:
        mutation = trial.fault.mutation
        _say(f"\n{trial.verdict}: {mutation.fault}\n  {mutation.file}\n  {mutation.test}")
    _say(f"\n{len(left)} survived, in {seconds / 60:.1f} minutes")


def _line(subject: str, trials: Sequence[Trial]) -> str:
    found = sum(trial.found for trial in trials)
    return f"{subject:<14}{len(trials):>7}{found:>7}{len(trials) - found:>10}"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  what it is for


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.torture.mutations",
        description="Break the code on purpose, in a copy, and see whether the tests notice.",
    )
    parser.add_argument("only", nargs="*", metavar="SUBJECT|INVARIANT", help=f"one of: {', '.join(SUBJECTS)}")
    # The tests wait more than they reckon.
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, help="faults tried at one time")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

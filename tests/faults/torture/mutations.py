"""Do the tests bite? Each invariant's code is broken on purpose, in a copy, and its test must turn red.

    python -m tests.faults.torture.mutations [NUMBER …]

The invariants are numbered as in `docs/reliability.md`; D are the decisions behind them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
RED, GREEN = 1, 0
"""Exit codes of pytest."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A deliberate fault, and the test that should find it."""

    invariant: str
    fault: str
    file: str
    before: str
    after: str
    test: str


MUTATIONS = (
    Mutation(
        "1",
        "a step that failed is committed with the others",
        "daemon/batchd/edges/store/database.py",
        'await db.execute("ROLLBACK TO step")',
        "pass",
        "tests/edges/test_store.py::test_a_job_of_which_one_request_cannot_be_stored_is_not_stored_at_all",
    ),
    Mutation(
        "1",
        "a file that was claimed before a crash is forgotten",
        "daemon/batchd/dispatcher.py",
        "for claim in await self._rooms.intake.recover():",
        "for claim in []:",
        "tests/faults/test_kill_steps.py",
    ),
    Mutation(
        "2",
        "an intent without an answer is simply sent again",
        "daemon/batchd/app.py",
        "State.INTENDED: finder.find,",
        "State.INTENDED: lambda batch: store.batches.move(batch, State.PLANNED),",
        "tests/faults/test_doubt.py",
    ),
    Mutation(
        "2",
        "a message that broke off before its first word is sent again",
        "daemon/batchd/journey/sync_sender.py",
        "if found.trouble is not None:",
        "if True:",
        "tests/faults/test_express.py",
    ),
    Mutation(
        "3",
        "a create without an answer is taken for one that made nothing",
        "daemon/batchd/edges/api/troubles.py",
        'raise InDoubt(f"no answer to a',
        'raise Unavailable(f"no answer to a',
        "tests/faults/test_doubt.py",
    ),
    Mutation(
        "3",
        "a create that failed with 5xx is taken for one that made nothing",
        "daemon/batchd/edges/api/troubles.py",
        'return InDoubt(f"no certain answer to a create',
        'return Unavailable(f"no certain answer to a create',
        "tests/faults/test_doubt.py",
    ),
    Mutation(
        "4",
        "whose the results are is not asked",
        "daemon/batchd/journey/collector.py",
        "if not read.ours and read.foreign and",
        "if False and",
        "tests/faults/test_doubt.py",
    ),
    Mutation(
        "4",
        "any ended batch of our count is ours",
        "daemon/batchd/journey/finder.py",
        "if row_of(read(first).custom_id, batch.nonce) is not None:",
        "if True:",
        "tests/faults/test_doubt.py",
    ),
    Mutation(
        "5",
        "what was delivered is delivered again when a stream is read again",
        "daemon/batchd/journey/collector.py",
        "if row in trips and not trips[row].delivered:",
        "if row in trips:",
        "tests/faults/test_results.py",
    ),
    Mutation(
        "5",
        "a request that is not in the results is waited for by nobody",
        "daemon/batchd/journey/collector.py",
        "        if missing:\n",
        "        if False:\n",
        "tests/faults/test_results.py",
    ),
    Mutation(
        "6",
        "a file has its name before it is whole",
        "daemon/batchd/edges/disk.py",
        'partial = f".{name}.part"',
        "partial = name",
        "tests/edges/test_outbox.py",
    ),
    Mutation(
        "6",
        "what a crash left behind the committed length stays",
        "daemon/batchd/edges/outbox.py",
        "grown.truncate(start)",
        "pass",
        "tests/edges/test_outbox.py",
    ),
    Mutation(
        "6",
        "of the folders on the way to a file only the outermost is synced",
        "daemon/batchd/edges/outbox.py",
        "folders = {folder for file in files for folder in PurePosixPath(file).parents} | {disk.HERE}",
        "folders = {disk.HERE}",
        "tests/edges/test_outbox.py",
    ),
    Mutation(
        "7",
        "timers follow the wall clock",
        "daemon/batchd/edges/clock.py",
        "return self._started + time.clock_gettime(time.CLOCK_BOOTTIME)",
        "return time.time()",
        "tests/edges/test_clock.py",
    ),
    Mutation(
        "8",
        "a replaced folder is watched no more",
        "daemon/batchd/edges/watcher.py",
        "elif await _identity(inbox) != identity:",
        "elif False:",
        "tests/edges/test_inbox.py",
    ),
    Mutation(
        "9",
        "whatever lies in the inbox is taken for a file",
        "daemon/batchd/edges/inbox.py",
        "if not S_ISREG(found.mode):",
        "if False:",
        "tests/faults/test_hostile_names.py",
    ),
    Mutation(
        "9",
        "links in the outbox are followed",
        "daemon/batchd/edges/disk.py",
        "O_NOFOLLOW",
        "O_CLOEXEC",
        "tests/edges/test_outbox.py",
    ),
    Mutation(
        "9",
        "a folder that became a link is entered for what it attaches",
        "daemon/batchd/edges/attachments.py",
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW",
        "os.O_RDONLY | os.O_DIRECTORY",
        "tests/edges/test_attachments.py",
    ),
    Mutation(
        "9",
        "a pattern may lead out of its folder",
        "daemon/batchd/text/globs.py",
        '".." in parts',
        "False",
        "tests/unit/test_globs.py",
    ),
    Mutation(
        "9",
        "a file of an answer may lead out of its folder",
        "daemon/batchd/decisions/document/answer_files.py",
        '".." in parts',
        "False",
        "tests/unit/test_files.py",
    ),
    Mutation(
        "10",
        "a full disk ends the work instead of making it wait",
        "daemon/batchd/running/retrying.py",
        "except OSError as trouble:",
        "except ZeroDivisionError as trouble:",
        "tests/faults/test_resources.py",
    ),
    Mutation(
        "11",
        "the log repeats what the API said",
        "daemon/batchd/journey/sender.py",
        'log.warning("create refused", batch=batch.id,',
        'log.warning("create refused", said=refusal.said, batch=batch.id,',
        "tests/faults/test_secrets.py",
    ),
    Mutation(
        "11",
        "the key follows a redirect",
        "daemon/batchd/edges/api/client.py",
        "follow_redirects=False,",
        "follow_redirects=True,",
        "tests/faults/test_secrets.py",
    ),
    Mutation(
        "12",
        "SIGTERM is not heard",
        "daemon/batchd/dispatcher.py",
        "scope.cancel()",
        "pass",
        "tests/acceptance/test_run.py",
    ),
    Mutation(
        "D",
        "one empty look is enough to send again",
        "daemon/batchd/decisions/batch/reconcile.py",
        "if seen == before == Sight() and waited >= doubt:",
        "if seen == Sight() and waited >= 0:",
        "tests/unit/test_decisions.py",
    ),
    Mutation(
        "D",
        "what another of ours only believes to be its own does not count",
        "daemon/batchd/decisions/batch/reconcile.py",
        "contested=tuple(remote for remote in possible if owners.get(remote.id) is Evidence.COUNT),",
        "contested=(),",
        "tests/unit/test_decisions.py",
    ),
    Mutation(
        "D",
        "a truncated document is called complete",
        "daemon/batchd/claude/verdict.py",
        'COMPLETE = frozenset({"end_turn",',
        'COMPLETE = frozenset({"max_tokens", "end_turn",',
        "tests/unit/test_decisions.py",
    ),
    Mutation(
        "D",
        "the last request of a full batch is forgotten",
        "daemon/batchd/decisions/batch/plan.py",
        "yield Plan(tuple(load.requests), request.betas, load.size)",
        "yield Plan(tuple(load.requests[:-1]), request.betas, load.size)",
        "tests/properties/test_plan_properties.py",
    ),
    Mutation(
        "D",
        "a job may spend its budget twice",
        "daemon/batchd/decisions/money/budget.py",
        "spent + request.worst > budget",
        "spent + request.worst > 2 * budget",
        "tests/unit/test_money.py",
    ),
    Mutation(
        "D",
        "a seam loses a character",
        "daemon/batchd/decisions/document/stitch.py",
        "return Joined(before + between + rest, start, repeat.restarted)",
        "return Joined(before + between + rest[1:], start, repeat.restarted)",
        "tests/properties/test_stitch_properties.py",
    ),
    Mutation(
        "D",
        "a stream that was cut is taken for a whole answer",
        "daemon/batchd/claude/stream.py",
        "if not found.ended:",
        "if False:",
        "tests/unit/test_streamed.py",
    ),
    Mutation(
        "D",
        "what goes at once is priced as a batch",
        "daemon/batchd/claude/price.py",
        "if lane is Lane.SYNC:",
        "if False:",
        "tests/faults/test_express.py",
    ),
    Mutation(
        "D",
        "nobody waits for the one that warms the cache",
        "daemon/batchd/edges/store/queue.py",
        "AND (first IS NULL OR first = requests.id OR EXISTS (",
        "AND (TRUE OR EXISTS (",
        "tests/faults/test_priming.py",
    ),
)


def main(wanted: list[str]) -> int:
    """Try every mutation, or those of some invariants, and print a line for each; 1 if one survives."""
    survived = 0
    print(f"{'invariant':<10}{'seconds':>8}  {'found by':<44}the fault")  # noqa: T201  its table is what it is for
    for mutation in MUTATIONS:
        if wanted and mutation.invariant not in wanted:
            continue
        began = time.monotonic()
        code = _tried(mutation)
        survived += code != RED
        by = (
            mutation.test.rpartition("/")[2]
            if code == RED
            else "SURVIVED"
            if code == GREEN
            else f"pytest ended with {code}"
        )
        print(f"{mutation.invariant:<10}{time.monotonic() - began:>8.1f}  {by[:42]:<44}{mutation.fault}", flush=True)  # noqa: T201  its table is what it is for
    print(f"{survived} survived")  # noqa: T201  its table is what it is for
    return 1 if survived else 0


def _tried(mutation: Mutation) -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("daemon", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "docs", "systemd", "examples", "README.md"):
            (copy / part).symlink_to(ROOT / part)
        file = copy / mutation.file
        text = file.read_text("utf-8")
        if mutation.before not in text:
            raise SystemExit(f"{mutation.file} has no {mutation.before!r} any more: mend the list of mutations")
        file.write_text(text.replace(mutation.before, mutation.after), "utf-8")
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", mutation.test],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": f"{copy / 'daemon'}:{copy}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=900,
            check=False,
        )
        return ended.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

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
from pathlib import Path

from tests.faults.torture.deliberate import MUTATIONS, Mutation

ROOT = Path(__file__).parents[3]
RED, GREEN = 1, 0
"""Exit codes of pytest."""


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

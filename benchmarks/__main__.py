"""Runs every benchmark: `python -m benchmarks`, or with `--full` the long form of each."""

import time
from importlib import import_module
from pathlib import Path

from benchmarks._report import wants_full

if __name__ == "__main__":
    wants_full(__doc__)
    began = time.perf_counter()
    for script in sorted(Path(__file__).parent.glob("[!_]*.py")):
        import_module(f"benchmarks.{script.stem}").main()
    print(f"{time.perf_counter() - began:.0f} seconds in all")

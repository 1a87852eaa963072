"""Runs every benchmark: `python -m benchmarks`, or with `--full` the long form of each."""

import time

from benchmarks import event_loop, intake_rate, open_batches, read_results, small_answers, startup, submit_body
from benchmarks._report import wants_full

if __name__ == "__main__":
    wants_full(__doc__)
    began = time.perf_counter()
    for script in (read_results, small_answers, submit_body, event_loop, intake_rate, open_batches, startup):
        script.main()
    print(f"{time.perf_counter() - began:.0f} seconds in all")

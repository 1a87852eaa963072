"""Runs every benchmark: `python -m benchmarks`, or with `--full` the long form of each."""

import time

from benchmarks import (
    event_loop,
    growth,
    intake_rate,
    large_job,
    many_files,
    open_batches,
    read_results,
    small_answers,
    startup,
    submit_body,
)
from benchmarks._report import wants_full

if __name__ == "__main__":
    wants_full(__doc__)
    began = time.perf_counter()
    large = (read_results, small_answers, many_files, submit_body, large_job)
    for script in (*large, event_loop, intake_rate, growth, open_batches, startup):
        script.main()
    print(f"{time.perf_counter() - began:.0f} seconds in all")

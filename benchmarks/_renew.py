"""Measures the figures of docs/figures.md anew: `make figures`, on a machine that does nothing else; half an hour."""

import os
import platform
import subprocess
import sys
from pathlib import Path

PAGE = Path("docs/figures.md")
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"
MEASURED = (
    ("small_answers", "--full"),
    ("long_answers", "--full"),
    ("large_job", "--full"),
    ("many_files",),
    ("startup",),
    ("read_results",),
    ("submit_body",),
    ("event_loop", "--full"),
    ("open_batches", "--full"),
    ("growth",),
)
"""In the order of the page."""


def main() -> None:
    """Run them, show what they print, and put that into the page."""
    machine = f"Python {platform.python_version()} on {os.cpu_count()} cores under {platform.system()}"
    told = [f"Measured with {machine}, over loopback without TLS; a slow line hides most of it.\n"]
    for name, *flags in MEASURED:
        command = [sys.executable, "-m", f"benchmarks.{name}", *flags]
        print(" ".join(command[1:]), flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603  our own
        print(done.stdout, flush=True)
        told += [f"\n`python {' '.join(command[1:])}`\n", done.stdout.rstrip() + "\n"]
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "".join(told) + END + after, "utf-8")


if __name__ == "__main__":
    main()

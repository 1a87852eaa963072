"""Measures the figures of docs/figures.md and of the README anew: `make figures`, on a machine without other work."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

PAGE, README = Path("docs/figures.md"), Path("README.md")
OF_READING = "read_results"
_SAID = re.compile(r"the SDK reads \S+ MB a second \| \[\S+ times as fast\]")
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"
MEASURED = (
    ("small_answers", "--full"),
    ("long_answers", "--full"),
    ("large_job", "--full"),
    ("many_files",),
    ("startup",),
    (OF_READING,),
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
        if name == OF_READING:
            README.write_text(renewed(README.read_text("utf-8"), done.stdout), "utf-8")
        told += [f"\n`python {' '.join(command[1:])}`\n", done.stdout.rstrip() + "\n"]
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "".join(told) + END + after, "utf-8")


def renewed(readme: str, printed: str) -> str:
    """Put into a README how fast long results were read, as the first table of `read_results` has it.

    Raises:
        LookupError: It has no place for it.
    """
    first = printed.split("\n**")[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in first.splitlines() if line[:1] == "|"]
    rows = {name: row for name, *row in cells}
    speed = next(row[rows["reader"].index("MB/s")] for name, row in rows.items() if name.startswith("SDK"))
    ratio = rows["batchd"][rows["reader"].index("ratio")].removesuffix(" x")
    said, places = _SAID.subn(f"the SDK reads {float(speed):.0f} MB a second | [{ratio} times as fast]", readme)
    if places != 1:
        raise LookupError("the README does not say how fast long results are read")
    return said


if __name__ == "__main__":
    main()

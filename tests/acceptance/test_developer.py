"""The session of the page for developers goes as it stands there."""

import re
import subprocess
import sys
from functools import partial

from tests.acceptance.installation import Installation
from tests.support.surroundings import REPOSITORY

PAGE = (REPOSITORY / "docs" / "developer.md").read_text()


def block_of(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


block = partial(block_of, PAGE)


def test_the_session_goes_as_it_stands(batchd: Installation) -> None:
    (batchd.home / "tickets.csv").write_text(block("csv"))
    (batchd.home / "classify.md").write_text(block("text"))
    batchd.start("run", "--sandbox")
    batchd.wait_until(batchd.inbox.exists)
    said, code = "", 0
    for line in block("console").splitlines():
        if not line.startswith("$ "):
            continue
        said += f"{line}\n"
        command = line.removeprefix("$ ").replace("batchd", f"{sys.executable} -m batchd").replace("$?", str(code))
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=batchd.home,
            env=batchd.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        code = done.returncode
        said += "".join(f"# {each}\n" for each in done.stderr.splitlines()) + done.stdout
    assert said == block("console")

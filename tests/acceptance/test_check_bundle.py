"""`batchd check` of a folder NAME.job: by the same rules as the daemon."""

import json
from pathlib import Path

from tests.acceptance.installation import Installation
from tests.support import media
from tests.support.bundles import write


def test_a_bundle_is_checked_and_priced(batchd: Installation) -> None:
    prompt = "---\neach: '*.png'\nmodel: claude-haiku-4-5\n---\nDescribe."
    folder = write(batchd.home / "p.job", {"prompt.md": prompt, "a.png": media.png(800, 600), "b.png": media.png(9, 9)})
    done = batchd.call("check", "--json", str(folder))
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["files"]
    assert (found["ok"], found["requests"]) == (True, 2)
    assert 0 < found["worst_case_usd"] < 0.1


def test_what_is_wrong_with_a_bundle_is_told_by_its_path(batchd: Installation, tmp_path: Path) -> None:
    folder = write(batchd.home / "p.job", {"prompt.md": "Why?"})
    (folder / "link").symlink_to(tmp_path)
    done = batchd.call("check", "--json", str(folder))
    assert done.returncode == 1
    [error] = json.loads(done.stdout)["files"][0]["errors"]
    assert (error["field"], "symbolic link" in error["message"]) == ("link", True)

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


def test_memory_does_not_grow_with_the_photos(batchd: Installation) -> None:
    def most(photos: int) -> int:
        """KB that the reading of so many takes."""
        prompt = "---\neach: '*.jpg'\nmodel: claude-haiku-4-5\n---\nDescribe."
        data = media.jpeg(1_000, 800) + bytes(range(256)) * 4_000
        files = {f"{n:03}.jpg": data for n in range(photos)}
        folder = write(batchd.home / f"{photos}.job", {"prompt.md": prompt, **files})
        measured = (
            "import resource, subprocess, sys\n"
            "subprocess.run([sys.executable, '-m', 'batchd', 'check', sys.argv[1]], check=True, stdout=-3)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = batchd.python("-c", measured, str(folder))
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert most(40) - most(5) < 15_000

import errno
import os
import socket
from pathlib import Path

import pytest
from batchd.decisions.jobfile.attachment import Gathered
from batchd.edges import attachments, disk
from batchd.edges.attachments import gather

ROOM = 1_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    write(root / "README.md", "# Read\n")
    write(root / "src" / "a.py", "a = 1\n")
    write(root / "src" / "deep" / "b.py", "b = 2\n")
    write(root / ".env", "SECRET=1\n")
    write(root / ".git" / "config", "[core]\n")
    return root


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(found: Gathered) -> dict[str, str]:
    assert found.flaws == ()
    return {file.path: file.text for file in found.files}


def flaw(found: Gathered) -> tuple[str, str]:
    assert found.files == ()
    ((place, message),) = found.flaws
    return place, message


def test_reads_what_the_patterns_mean_and_nothing_hidden(tree: Path) -> None:
    assert paths(gather([tree], ["**"], ROOM)) == {
        "README.md": "# Read\n",
        "src/a.py": "a = 1\n",
        "src/deep/b.py": "b = 2\n",
    }
    assert set(paths(gather([tree], ["src/*.py", "*.md"], ROOM))) == {"src/a.py", "README.md"}
    assert set(paths(gather([tree], [".env", ".git/*"], ROOM))) == {".env", ".git/config"}


def test_patterns_are_relative_to_each_folder(tree: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "c.py", "c").parent
    assert set(paths(gather([tree, other], ["**/*.py"], ROOM))) == {"src/a.py", "src/deep/b.py", "c.py"}
    write(other / "src" / "a.py", "another")
    place, message = flaw(gather([tree, other], ["*.md", "src/*"], ROOM))
    assert place == "attach[1]"
    assert "src/a.py is in more than one" in message


def test_each_pattern_that_means_nothing_is_told(tree: Path) -> None:
    found = gather([tree], ["*.md", "nothing.py", "src/*.md"], ROOM)
    assert found.files == ()
    assert [field for field, _ in found.flaws] == ["attach[1]", "attach[2]"]


def test_no_link_is_followed_to_a_file_or_a_folder(tree: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.py", "secret").parent
    (tree / "src" / "link.py").symlink_to(outside / "secret.py")
    (tree / "folder").symlink_to(outside)
    (tree / "up").symlink_to("..")
    assert set(paths(gather([tree], ["**/*.py"], ROOM))) == {"src/a.py", "src/deep/b.py"}
    for pattern in ("src/link.py", "folder/secret.py", "folder/*", "up/outside/*"):
        place, message = flaw(gather([tree], [pattern], ROOM))
        assert place == "attach[0]"
        assert "links are not followed" in message


def test_a_name_that_becomes_a_link_while_it_is_looked_at_is_not_followed(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = write(tmp_path / "outside" / "b.py", "secret").parent
    honest = disk.stat_at

    def too_late(folder: int, name: str) -> os.stat_result | None:
        seen = honest(folder, name)
        if name == "deep":
            os.rename("deep", "was", src_dir_fd=folder, dst_dir_fd=folder)
            os.symlink(outside, "deep", dir_fd=folder)
        if name == "a.py":
            os.unlink("a.py", dir_fd=folder)
            os.symlink(outside / "b.py", "a.py", dir_fd=folder)
        return seen

    monkeypatch.setattr(disk, "stat_at", too_late)
    found = gather([tree], ["src/**"], ROOM)
    assert found.files == ()
    assert [message.split(" cannot")[0] for _, message in found.flaws] == ["src/a.py", "the folder src/deep"]


def test_pipes_sockets_and_devices_are_never_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree / "src" / "pipe.py")
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.py")
        assert set(paths(gather([tree], ["**/*.py"], ROOM))) == {"src/a.py", "src/deep/b.py"}
        assert flaw(gather([tree], ["src/pipe.py"], ROOM))[0] == "attach[0]"


def test_what_is_no_text_is_told_each_of_it(tree: Path) -> None:
    (tree / "src" / "latin.py").write_bytes(b"caf\xe9")
    (tree / "src" / "zip.py").write_bytes(b"PK\xff")
    found = gather([tree], ["*.md", "src/*"], ROOM)
    assert [(field, message.split(";")[0]) for field, message in found.flaws] == [
        ("attach[1]", "src/latin.py is not UTF-8"),
        ("attach[1]", "src/zip.py is not UTF-8"),
    ]


def test_what_may_not_be_read_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = os.open

    def refused(path: str | Path, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if path in {"a.py", "deep"}:  # root, as which tests may run, would be let in
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return honest(path, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refused)
    found = gather([tree], ["*.md", "src/**"], ROOM)
    assert found.files == ()
    assert found.flaws == (
        ("attach[1]", "src/a.py cannot be read: Permission denied"),
        ("attach[1]", "the folder src/deep cannot be read: Permission denied"),
    )


def test_an_allowed_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    place, message = flaw(gather([tmp_path / "gone"], ["*"], ROOM))
    assert place == "attach"
    assert "gone of attach.folders cannot be read: No such file" in message


def test_an_allowed_folder_may_be_reached_through_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert set(paths(gather([tmp_path / "link"], ["*"], ROOM))) == {"README.md"}


def test_bytes_are_bounded(tree: Path) -> None:
    size = sum(len(text) for text in paths(gather([tree], ["**"], ROOM)).values())
    assert len(paths(gather([tree], ["**"], size))) == 3
    place, message = flaw(gather([tree], ["*.md", "src/**"], size - 1))
    assert place == "attach[1]"
    assert "name fewer files" in message
    with (tree / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert "name fewer files" in flaw(gather([tree], ["sparse"], 32_000_000))[1]


def test_files_names_and_depth_are_bounded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_FILES", 2)
    assert "more than 2 files" in flaw(gather([tree], ["**"], ROOM))[1]
    monkeypatch.setattr(attachments, "MOST_NAMES", 4)
    assert "more than 4 names" in flaw(gather([tree], ["**"], ROOM))[1]
    monkeypatch.setattr(attachments, "MOST_NAMES", 1_000)
    deep = tree.joinpath("x", *["d"] * 40)
    deep.mkdir(parents=True)
    assert "more than 32 folders deep" in flaw(gather([tree], ["x/**"], ROOM))[1]
    assert set(paths(gather([tree], ["src/*"], ROOM))) == {"src/a.py"}


def test_a_tree_of_faults_is_not_told_without_end(tree: Path) -> None:
    for number in range(300):
        (tree / "src" / f"{number}.bin").write_bytes(b"\xff")
    assert len(gather([tree], ["src/*"], ROOM).flaws) == 100


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    gather([tree, tree], ["**"], 3)
    gather([tree], ["**"], ROOM)
    assert len(list(Path("/proc/self/fd").iterdir())) == before

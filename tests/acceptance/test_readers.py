"""Whoever drops a file may read what came of it, where the settings say so; nobody else, and nobody may look round."""

import grp
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from tests.acceptance.installation import Installation
from tests.acceptance.test_programs import lines

ALICE, BOB = 23456, 34567
AS_SOMEBODY = """
import os, sys
from batchd.cli import commands
import batchd.cli.priced, batchd.cli.submit, batchd.cli.wait, batchd.cli.results, batchd.client.reading, yaml, pydantic
uid, sys.argv = int(sys.argv[1]), ["batchd", *sys.argv[2:]]
os.setgroups([int(gid) for gid in os.environ.get("GROUPS", "").split()])
os.setgid(uid)
os.setuid(uid)
sys.exit(commands.main())
"""
TICKET = "01hzx3k8v1q0r7c2d5f9g4h6j2"


def takes_lists(folder: Path) -> bool:
    """Whether the file system has access control lists: tmpfs, ext4 and xfs have, some mounts have not."""
    try:
        os.getxattr(folder, "system.posix_acl_access")
    except OSError as error:
        return error.errno == 61  # ENODATA: none is set
    return True


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users"),
    pytest.mark.skipif(not takes_lists(Path(tempfile.gettempdir())), reason="no access control lists on this disk"),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Installation]:
    """A daemon whose inbox everybody may drop into, with what Alice, Bob and root have dropped."""
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder)) as batchd:
        batchd.home.chmod(0o755)
        batchd.inbox.mkdir()
        for name in ("", "team", "closed", "ours", "legal"):
            (batchd.inbox / name).mkdir(exist_ok=True)
            (batchd.inbox / name).chmod(0o1777)
        (batchd.inbox / "closed" / ".batchd.md").write_text("---\nresults: {readers: daemon}\n---\n")
        group = grp.getgrall()[-1].gr_name
        (batchd.inbox / "ours" / ".batchd.md").write_text(f"---\nresults: {{readers: group, group: {group}}}\n---\n")
        (batchd.home / "batchd.toml").write_text(f'[folder.legal]\ngroup = "{group}"\n')
        batchd.start("run", "--sandbox", "--set", "results.readers=dropper", "--set", f"results.groups={group}")
        batchd.wait_until_running()
        for uid, name in ((ALICE, "alices"), (BOB, "bobs")):
            drop(batchd, f"team/{name}.jsonl", lines(2), uid)
        narrow = '{"job": {"results": {"readers": "daemon"}}}\n'
        drop(batchd, "secret.jsonl", narrow + lines(1), ALICE)
        drop(batchd, "closed/a.jsonl", lines(1), ALICE)
        drop(batchd, "ours/a.jsonl", lines(1), ALICE)
        drop(batchd, "legal/deep.jsonl", lines(1), ALICE)
        drop(batchd, "lone.md", "---\nresults: {readers: daemon}\n---\nHello", ALICE)
        drop(batchd, "plain.md", "Hello", ALICE)
        drop(batchd, f"bad.@{TICKET}.jsonl", "{}\n", ALICE)
        for name in ("team/alices", "team/bobs", "secret", "closed/a", "ours/a", "legal/deep", "lone", "plain"):
            batchd.job(name)
        batchd.wait_until((batchd.outbox / "rejected" / "bad.jsonl").exists)
        yield batchd


def drop(batchd: Installation, name: str, text: str, uid: int) -> None:
    path = batchd.inbox / name
    hidden = path.with_name(f".{path.name}")
    hidden.write_text(text)
    os.chown(hidden, uid, uid)
    hidden.chmod(0o644)
    hidden.rename(path)


def reads(uid: int, path: Path) -> bool:
    tried = ["ls" if path.is_dir() else "cat", path]
    return subprocess.run(tried, user=uid, group=uid, extra_groups=[], capture_output=True, check=False).returncode == 0


def call(batchd: Installation, uid: int, *words: str, groups: str = "") -> subprocess.CompletedProcess[str]:
    return batchd.python("-c", AS_SOMEBODY, str(uid), *words, GROUPS=groups)


def test_alice_reads_her_results_and_bob_does_not(shared: Installation) -> None:
    hers = call(shared, ALICE, "results", "team/alices")
    assert (hers.returncode, hers.stdout.count("\n")) == (0, 2)
    assert call(shared, ALICE, "wait", "team/alices").returncode == 0
    for words in (("results", "team/alices"), ("wait", "team/alices")):
        refused = call(shared, BOB, *words)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.count("\n") == 1
        assert "may not read" in refused.stderr
    assert call(shared, BOB, "results", "team/bobs").returncode == 0


@pytest.mark.parametrize("uid", [ALICE, BOB])
@pytest.mark.parametrize("folder", [".", "team", "rejected", ".tickets"])
def test_nobody_may_look_round(shared: Installation, uid: int, folder: str) -> None:
    assert not reads(uid, shared.outbox / folder)


def test_everything_in_her_folder_is_hers_to_read(shared: Installation) -> None:
    for name in ("team/alices", "plain"):
        found = sorted(path for path in (shared.outbox / name).rglob("*"))
        assert {path.name for path in found} >= {"job.json", "report.jsonl", "results.jsonl", "documents"}
        for path in found:
            assert reads(ALICE, path), path
            assert not reads(BOB, path), path


def test_she_reads_why_her_file_was_rejected_and_her_receipt(shared: Installation) -> None:
    for name in ("bad", f"@{TICKET}"):
        told = call(shared, ALICE, "wait", name)
        assert told.returncode == 1
        assert "rejected" in told.stderr
    hers = ("rejected/bad.jsonl.errors.json", f".tickets/{TICKET}.json")
    assert all(reads(ALICE, shared.outbox / file) for file in (*hers, "rejected/bad.jsonl"))
    assert not any(reads(BOB, shared.outbox / file) for file in hers)


@pytest.mark.parametrize("name", ["secret", "closed/a", "lone"])
def test_a_file_and_a_folder_may_keep_results_closed(shared: Installation, name: str) -> None:
    assert call(shared, ALICE, "results", name).returncode == 2


@pytest.mark.parametrize("job", ["ours/a", "legal/deep"])
def test_a_group_reads_what_its_folder_or_the_settings_of_it_give_it(shared: Installation, job: str) -> None:
    group = grp.getgrall()[-1]
    folder = shared.outbox / job
    assert (S_IMODE(folder.stat().st_mode), folder.stat().st_gid) == (0o2750, group.gr_gid)
    for path in folder.rglob("*"):
        if path.name != "request.jsonl":
            wanted = 0o2750 if path.is_dir() else 0o640
            assert (S_IMODE(path.stat().st_mode), path.stat().st_gid) == (wanted, group.gr_gid), path
    assert call(shared, BOB, "results", job, groups=str(group.gr_gid)).returncode == 0
    assert call(shared, BOB, "results", job).returncode == 2


def test_the_store_knows_who_dropped_a_job(shared: Installation) -> None:
    assert dict(shared.sql("SELECT name, uid FROM jobs WHERE name LIKE 'team/%'")) == {
        "team/alices": ALICE,
        "team/bobs": BOB,
    }


def test_she_submits_waits_and_reads_without_any_right_on_the_rest(shared: Installation) -> None:
    (shared.home / "hers.jsonl").write_text(lines(1))
    (shared.home / "hers.jsonl").chmod(0o644)
    submitted = call(shared, ALICE, "submit", "hers.jsonl")
    assert (submitted.returncode, submitted.stdout) == (0, "hers\n"), submitted.stderr
    assert call(shared, ALICE, "wait", "hers").returncode == 0
    assert "sandbox text" in call(shared, ALICE, "results", "hers").stdout


def test_the_doctor_tries_it(shared: Installation) -> None:
    set_to = ("--set", "results.readers=dropper", "--set", "results.groups=nil")
    done = shared.call("doctor", "--offline", "--json", *set_to)
    found = [each for each in json.loads(done.stdout)["findings"] if each["about"] == "readers"]
    assert [(each["health"], each["message"].split(" can")[0]) for each in found] == [
        ("problem", "there is no group nil"),
        ("ok", "whoever drops a file"),
        ("ok", f"group {grp.getgrall()[-1].gr_name}"),
    ]


def test_by_default_nobody_is_let_in() -> None:
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder)) as batchd:
        batchd.home.chmod(0o755)
        batchd.inbox.mkdir()
        drop(batchd, "a.jsonl", lines(1), ALICE)
        assert batchd.call("run", "--once", "--sandbox").returncode == 0
        assert {S_IMODE(path.stat().st_mode) & 0o077 for path in (batchd.outbox, *batchd.outbox.rglob("[!r]*"))} == {0}
        refused = call(batchd, ALICE, "wait", "a")
        assert refused.returncode == 2
        assert "may not read" in refused.stderr


def test_unknown_readers_and_groups_are_refused_with_their_place(tmp_path: Path) -> None:
    with Installation(tmp_path) as batchd:
        (tmp_path / "a.jsonl").write_text('{"job": {"results": {"readers": "all"}}}\n' + lines(1))
        (tmp_path / "p.md").write_text("---\nresults: {readers: group, group: strangers}\n---\nSay {{ t }}.")
        (tmp_path / "t.csv").write_text("t\na\n")
        assert "must be one of daemon, dropper, group" in batchd.call("check", "a.jsonl").stdout
        assert "no group that the settings allow" in batchd.call("check", "--prompt", "p.md", "t.csv").stdout
        wrong = batchd.call("status", "--set", "results.readers=group")
        assert wrong.returncode == 2
        assert "results.group" in wrong.stderr

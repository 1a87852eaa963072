"""The Debian package, on this machine's Debian and thrown away with it: installed, used, upgraded, purged."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support.media import pdf
from tests.support.throwaway import System, lacking

pytestmark = [pytest.mark.slow, pytest.mark.skipif(lacking() is not None, reason=lacking() or "")]
AS_BATCHD = "setpriv --reuid batchd --regid batchd --clear-groups env HOME=/nonexistent"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as laid:
        yield laid


def test_it_is_installed_used_upgraded_and_purged(system: System, package: Path, newer: Path, tmp_path: Path) -> None:
    before = system.changed()
    said = system.run(f"dpkg --install {system.bring(package)}")
    assert "systemctl enable --now batchd" in said

    assert "Two files were dropped" in system.run("cd /tmp && batchd demo")
    assert re.fullmatch(r"batchd \d\S+\n", system.run("batchd --version"))
    shown = system.run("batchd service show")
    assert shown.count("as written") == shown.count("/usr/lib/") >= 3
    assert "/usr/bin/batchd run" in shown
    refused = system.run("batchd service install", check=False)
    assert "came with this machine's package" in refused
    if system.run("command -v systemd-analyze", check=False):
        assert system.run("systemd-analyze verify batchd.service") == ""

    # As a service would work: its user, its places, and settings of the administrator's.
    system.run("printf '[budget]\\nper_day = 5\\n' >> /etc/batchd/batchd.toml")
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(pdf(3, packed=False, draw=Random(1)))  # noqa: S311  bytes that look like a scan
    at = system.bring(scan)
    system.run(f"""
        mkdir /var/lib/batchd/inbox/.scans.job
        cp {at} /var/lib/batchd/inbox/.scans.job/
        echo 'What is on these pages?' > /var/lib/batchd/inbox/.scans.job/prompt.md
        chown -R batchd: /var/lib/batchd/inbox/.scans.job
        mv /var/lib/batchd/inbox/.scans.job /var/lib/batchd/inbox/scans.job""")
    worked = system.run(f"cd / && {AS_BATCHD} batchd run --once --sandbox", check=False)
    assert "job finished" in worked, "a PDF is opened by a process of its own, which finds its library"
    settings, state = "cat /etc/batchd/batchd.toml", f"{AS_BATCHD} batchd costs --json"
    kept = (system.run(settings), system.run(state))
    assert '"answers":1' in kept[1]

    system.run("touch /etc/batchd/anthropic-api-key && mkdir -p /etc/systemd/system/batchd.service.d")
    system.run(f"dpkg --install {system.bring(newer)}")
    assert (system.run(settings), system.run(state)) == kept
    assert "demo" not in system.run("ls -R /usr/lib/batchd/lib/python3.*/site-packages/batchd/cli"), "nor its bytecode"

    said = system.run("dpkg --purge batchd 2>&1")
    assert "/var/lib/batchd" in said
    assert "not empty so not removed" not in said
    assert system.run("ls -d /usr/lib/batchd /etc/batchd /usr/bin/batchd 2>/dev/null", check=False) == ""
    assert system.run("ls /var/lib/batchd") == "inbox\noutbox\nstate\n"
    ours = {name for name in system.changed() - before if not name.startswith(("/var/lib/batchd/", "/var/lib/dpkg/"))}
    assert {name for name in ours if "batchd" in name} == set()
    assert {re.sub(r"-$", "", name) for name in ours} <= {
        *(f"/etc/{name}" for name in ("passwd", "group", "shadow", "gshadow", ".pwd.lock", "subuid", "subgid")),
        *(name for name in ours if name.startswith(("/var/log/", "/var/cache/", f"{Path.home()}/"))),
    }

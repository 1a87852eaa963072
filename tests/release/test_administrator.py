"""An administrator's year with the Debian package, under a systemd that was booted for it; and a user's own service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.throwaway import Booted, not_bootable, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not_bootable() is not None, reason=not_bootable() or "")]
SANDBOX = "[Service]\\nExecStart=\\nExecStart=/usr/bin/batchd run --sandbox\\n"
KEY = "sk-ant-canary-5d41402abc4b2a76"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Booted]:
    with Booted(tmp_path_factory.mktemp("booted")) as booted:
        booted.run(f"dpkg --install {booted.bring(package)}")
        yield booted


def test_a_user_has_a_service_without_root(machine: Booted) -> None:
    machine.run("useradd --create-home carol && loginctl enable-linger carol && systemctl start user@$(id -u carol)")
    machine.run(
        f"""batchd service install --user
        mkdir -p .config/batchd && echo {KEY} | install -m 600 /dev/stdin .config/batchd/anthropic-api-key
        mkdir .config/systemd/user/batchd.service.d
        printf '{SANDBOX}' > .config/systemd/user/batchd.service.d/sandbox.conf
        systemctl --user daemon-reload && systemctl --user enable --now batchd
        echo 'Say hello.' > batchd/inbox/.hello && mv batchd/inbox/.hello batchd/inbox/hello.md
        cd batchd && batchd wait hello --timeout 60 && batchd status""",
        user="carol",
    )
    assert "hello.md" in machine.run("ls batchd/outbox/hello/documents", user="carol")
    machine.run("systemctl --user disable --now batchd && batchd service uninstall --user", user="carol")


def test_installed_enabled_upgraded_and_purged(machine: Booted, newer: Path) -> None:
    machine.run(f"echo {KEY} | install -m 600 /dev/stdin /etc/batchd/anthropic-api-key")
    machine.run("mkdir /etc/systemd/system/batchd.service.d")
    machine.run(f"printf '{SANDBOX}' > /etc/systemd/system/batchd.service.d/sandbox.conf")
    machine.run("systemctl daemon-reload && systemctl enable --now batchd")
    machine.run("printf '[budget]\\nper_day = 5\\n' >> /etc/batchd/batchd.toml")
    machine.run("echo 'Say hello.' > /var/lib/batchd/inbox/.hello; cd /var/lib/batchd/inbox; mv .hello hello.md")
    machine.run("cd / && batchd wait hello --timeout 60")
    first = machine.run("systemctl show --value --property MainPID batchd")

    machine.run(f"dpkg --install {machine.bring(newer)}")
    assert machine.run("systemctl is-active batchd") == "active\n"
    assert machine.run("systemctl show --value --property MainPID batchd") != first
    assert "hello" in machine.run("cd / && batchd status hello")
    assert "per_day = 5" in machine.run("cat /etc/batchd/batchd.toml")

    said = machine.run("dpkg --purge batchd 2>&1")
    assert "kept what is yours, /var/lib/batchd" in said
    wait_for(lambda: machine.run("systemctl is-active batchd", check=False) == "inactive\n")
    assert (
        machine.run("ls -d /etc/batchd /usr/lib/batchd /etc/systemd/system/*.wants/batchd*", check=False).count(
            "cannot access"
        )
        == 3
    )
    assert machine.run("ls /var/lib/batchd/outbox/hello/job.json")

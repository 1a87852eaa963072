"""An administrator's year with the Debian package, its page and its alerts, under a systemd that was booted for it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY
from tests.support.throwaway import Booted, not_bootable, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not_bootable() is not None, reason=not_bootable() or "")]
SANDBOX = "[Service]\\nExecStart=\\nExecStart=/usr/bin/batchd run --sandbox\\n"
SETTINGS = """
[budget]
per_day = 5

[metrics]
listen = "127.0.0.1:9790"

[notify.sinks.admin]
command = ["/usr/bin/logger", "-t", "batchd-alert"]
events = ["job.held"]
"""
MONITORING = REPOSITORY / "monitoring"
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


def test_installed_enabled_alerted_upgraded_and_purged(machine: Booted, newer: Path, tmp_path: Path) -> None:
    machine.run(f"echo {KEY} | install -m 600 /dev/stdin /etc/batchd/anthropic-api-key")
    machine.run("mkdir /etc/systemd/system/batchd.service.d")
    machine.run(f"printf '{SANDBOX}' > /etc/systemd/system/batchd.service.d/sandbox.conf")
    machine.bring(_written(tmp_path / "more.toml", SETTINGS))
    machine.run("cat /opt/more.toml >> /etc/batchd/batchd.toml")
    machine.run("systemctl daemon-reload && systemctl enable --now batchd batchd-page")
    machine.run("echo 'Say hello.' > /var/lib/batchd/inbox/.hello; cd /var/lib/batchd/inbox; mv .hello hello.md")
    machine.run("cd / && batchd wait hello --timeout 60")
    first = machine.run("systemctl show --value --property MainPID batchd")

    # One that no budget allows: the page shows it first, and the numbers raise the alert that `monitoring` has for it.
    machine.bring(_written(tmp_path / "dear.md", "---\nbudget: 0.0001\n---\nWrite a whole book.\n"))
    machine.run("cd /var/lib/batchd/inbox && cp /opt/dear.md .dear && mv .dear dear.md")
    assert "exit 4" in machine.run("cd / && batchd wait dear --timeout 60 || echo exit $?")
    shown = machine.run(_got("http://127.0.0.1:8790/"))
    assert "waits for a person" in shown
    assert "batchd release dear" in shown
    assert KEY not in shown
    wait_for(lambda: 'batchd_jobs{state="held"} 1.0' in machine.run(_got("http://127.0.0.1:9790/metrics")))
    if (promtool := shutil.which("promtool")) is not None:
        _assert_alerted(promtool, machine.run(_got("http://127.0.0.1:9790/metrics")), tmp_path)

    machine.run(f"dpkg --install {machine.bring(newer)}")
    assert machine.run("systemctl is-active batchd batchd-page") == "active\nactive\n"
    assert machine.run("systemctl show --value --property MainPID batchd") != first
    assert "hello" in machine.run("cd / && batchd status hello")
    assert SETTINGS in machine.run("cat /etc/batchd/batchd.toml")
    # What nobody has answered within a minute is told, by the one that came since.
    wait_for(lambda: "batchd.job.held" in machine.run("journalctl --output cat --identifier batchd-alert"), 180)
    told = machine.run("journalctl --output cat --identifier batchd-alert")
    assert told.count("batchd.job.held") == 1
    assert "whole book" not in told

    said = machine.run("dpkg --purge batchd 2>&1")
    assert "kept what is yours, /var/lib/batchd" in said
    wait_for(lambda: machine.run("systemctl is-active batchd batchd-page", check=False) == "inactive\ninactive\n")
    assert (
        machine.run("ls -d /etc/batchd /usr/lib/batchd /etc/systemd/system/*.wants/batchd*", check=False).count(
            "cannot access"
        )
        == 3
    )
    assert machine.run("ls /var/lib/batchd/outbox/hello/job.json")
    if promtool is None:
        pytest.skip("all was seen but the alert: promtool is not here; .ci/run fetches it")


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def _got(address: str) -> str:
    """Shell lines that print what is at an address; nothing, where nobody answers yet."""
    read = f"print(urllib.request.urlopen('{address}', timeout=20).read().decode())"
    return f'python3 -c "import urllib.request; {read}" 2>/dev/null || true'


def _assert_alerted(promtool: str, scrape: str, folder: Path) -> None:
    """Show to the rules, for half an hour, the numbers of one scrape."""
    held = re.findall(r"^(batchd_(?:jobs|batches)\{.*\}) (\S+)$", scrape, re.MULTILINE)
    told = {"summary": "1 jobs or batches wait for a person", "action": "batchd status names the commands that answer"}
    alert = {"exp_labels": {"severity": "ticket"}, "exp_annotations": told}
    shutil.copy(MONITORING / "batchd.rules.yml", folder)
    test = {
        "rule_files": ["batchd.rules.yml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": f"{float(value):g}x30"} for series, value in held],
                "alert_rule_test": [{"eval_time": "20m", "alertname": "BatchdHeld", "exp_alerts": [alert]}],
            }
        ],
    }
    _written(folder / "test.yml", json.dumps(test))  # which is YAML
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

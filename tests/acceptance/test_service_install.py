"""`batchd service`: what it writes is taken by systemd, and nobody's change is lost."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY, environment

UNIT = ".config/systemd/user/batchd.service"
SYSTEM_PYTHON = Path("/usr/bin/python3")
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason=".ci/run installs systemd")


class User:
    """Somebody with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.unit = home / UNIT

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "batchd", "service", *words],
            cwd=self.home,
            env=environment(self.home),
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> set[str]:
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file()}


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_a_dry_run_prints_each_file_and_the_next_commands_and_writes_nothing(user: User) -> None:
    said = user("install", "--user", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert f"ExecStart={sys.executable} -m batchd run" in said.stdout
    for wanted in (UNIT, "%h/batchd/inbox", "%h/batchd/outbox", "LoadCredential=", "loginctl enable-linger"):
        assert wanted in said.stdout
    assert user.files() == set()


def test_what_is_there_already_stays_and_what_somebody_changed_is_written_beside(user: User) -> None:
    assert user("install", "--user").stdout.count("wrote ") == 2
    assert user.files() == {UNIT, "batchd/batchd.toml"}
    assert oct(user.unit.stat().st_mode) == "0o100644", "whatever the umask"
    written = user.unit.read_text()
    assert user("install", "--user").stdout.count("unchanged ") == 2

    changed = f"{written}# mine\n"
    user.unit.write_text(changed)
    settings = user.home / "batchd/batchd.toml"
    settings.write_text(f"{settings.read_text()}[budget]\nper_day = 5\n")
    said = user("install", "--user")
    assert (said.returncode, user.unit.read_text()) == (0, changed)
    assert user.unit.with_name("batchd.service.new").read_text() == written
    assert "per_day" in settings.read_text()
    assert not settings.with_name("batchd.toml.new").exists(), "settings are the user's"
    assert "changed" in user("show", "--user").stdout

    user.unit.unlink()
    user("install", "--user")
    assert not user.unit.with_name("batchd.service.new").exists(), "settled"


def test_what_another_release_wrote_is_brought_up_to_date(user: User) -> None:
    other = subprocess.run(
        [sys.executable, "-c", OTHER_RELEASE, str(user.unit)],
        env=environment(user.home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == "absent outdated\n"
    assert f"updated    {user.unit}" in user("install", "--user").stdout
    assert "WatchdogSec" in user.unit.read_text()


OTHER_RELEASE = """
import sys
from pathlib import Path
from batchd.edges.installing import standing, write
unit = Path(sys.argv[1])
before = standing(unit, "of this release")
write(unit, "of another release")
print(before, standing(unit, "of this release"))
"""


def test_a_masked_unit_is_left_alone(user: User) -> None:
    user.unit.parent.mkdir(parents=True)
    user.unit.symlink_to(os.devnull)
    assert user("install", "--user").returncode == 0
    assert user.unit.readlink() == Path(os.devnull)
    assert "changed" in user("show", "--user").stdout


def test_uninstalling_takes_the_files_that_were_written_and_no_other(user: User) -> None:
    assert user("uninstall", "--user").returncode == 1
    assert user("show", "--user").returncode == 1
    user("install", "--user")
    wants = user.unit.parent / "default.target.wants"
    wants.mkdir()
    (wants / "batchd.service").symlink_to(user.unit)
    enabled = user("uninstall", "--user")
    assert (enabled.returncode, user.unit.exists()) == (2, True)
    assert "systemctl --user disable --now batchd" in enabled.stderr
    (wants / "batchd.service").unlink()
    assert f"would go   {user.unit}" in user("uninstall", "--user", "--dry-run").stdout
    assert user("uninstall", "--user").returncode == 0
    assert user.files() == {"batchd/batchd.toml"}


def test_the_settings_that_are_written_lead_commands_to_the_places_of_the_service(user: User) -> None:
    user("install", "--user")
    at = user.home / "batchd"
    said = subprocess.run(
        [sys.executable, "-m", "batchd", "status"],
        cwd=at,
        env={name: value for name, value in environment(user.home).items() if name != "BATCHD_CONFIG"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(rf"no daemon has run on {user.home}/\.(config|local/state)/batchd/state yet", said.stderr)


@needs_systemd
def test_systemd_has_nothing_to_remark_on_a_users_unit_and_finds_it_hardly_exposed(user: User) -> None:
    user("install", "--user")
    verified = analyze("--user", "verify", user.unit, home=user.home)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    found = analyze("--user", "security", "--offline=yes", user.unit, home=user.home).stdout
    # A user's service can name no other user, which systemd counts as root; and the kernel's log is root's anyway.
    without = re.findall(r"^✗ (?:User=/DynamicUser=|ProtectKernelLogs=) .* (0\.\d) *$", found, re.MULTILINE)
    assert len(without) == 2
    assert exposure(found) - sum(map(float, without)) <= 1.2


def analyze(*words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    runtime = home / "run"
    runtime.mkdir(exist_ok=True)
    return subprocess.run(
        ["systemd-analyze", *map(str, words)],
        env={**environment(home), "XDG_RUNTIME_DIR": str(runtime), "SYSTEMD_COLORS": "0", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def exposure(said: str) -> float:
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert level, said
    return float(level[1])


# -- of the machine -----------------------------------------------------------------------------------------------

machine = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or not SYSTEM_PYTHON.exists(),
    reason="an /etc of its own needs root, unshare and the system's Python",
)


def in_a_machine(tmp_path: Path, script: str, *, package: str = "/opt") -> subprocess.CompletedProcess[str]:
    """Run shell lines where /etc/systemd/system, /home and /opt are empty; `batchd` is the command."""
    libraries = sysconfig.get_path("platlib")
    prepare = f"""
        set -e
        for folder in /etc/systemd/system /home /opt; do mount -t tmpfs tmpfs $folder; done
        mkdir -p /etc/sysusers.d /etc/tmpfiles.d {package}
        mount -t tmpfs tmpfs /etc/sysusers.d
        mount -t tmpfs tmpfs /etc/tmpfiles.d
        cp -rL {shlex.quote(str(REPOSITORY / "daemon" / "batchd"))} {package}/
        batchd() {{ PYTHONPATH={package}:{libraries} {SYSTEM_PYTHON} -m batchd "$@"; }}
        set +e
        {script}"""
    own = ["unshare", "--mount", "--propagation", "private", "sh", "-c", prepare]
    return subprocess.run(own, env=environment(tmp_path), capture_output=True, text=True, check=False)


def same_python() -> bool:
    asked = [str(SYSTEM_PYTHON), "-c", "import sys; print(sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == str(
        sys.version_info[:2]
    )


@machine
@needs_systemd
def test_the_unit_of_the_machine_starts_this_very_command_and_is_what_systemd_wants(tmp_path: Path) -> None:
    if not same_python():
        pytest.skip("the libraries are of another Python than the system's")
    done = in_a_machine(
        tmp_path,
        """batchd service install && batchd service install && batchd service show
        cd /etc/systemd/system && systemd-analyze verify batchd.service 2>&1 || echo "not taken"
        echo verified; SYSTEMD_COLORS=0 systemd-analyze security --offline=yes batchd.service
        systemd-sysusers --dry-run /etc/sysusers.d/batchd.conf 2>&1
        batchd service uninstall && find /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d -type f""",
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.count("wrote "), done.stdout.count("unchanged ")) == (3, 3)
    before, _, after = done.stdout.partition("verified\n")
    assert re.fullmatch(r"starts +/usr/bin/python3(\.\d+)? -m batchd run", before.splitlines()[-1]), (
        "and systemd is silent"
    )
    assert exposure(after) <= 1.2
    assert after.count("removed ") == 3
    assert after.splitlines()[-1].strip() == "systemctl daemon-reload", "no file is left"


@machine
def test_a_command_that_the_service_could_not_see_is_refused(tmp_path: Path) -> None:
    if not same_python():
        pytest.skip("the libraries are of another Python than the system's")
    done = in_a_machine(tmp_path, "batchd service install; batchd service install --dry-run", package="/home/alice")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("/home/alice/batchd") == 2
    assert "/opt/batchd" in done.stderr

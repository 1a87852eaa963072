"""What tests know of the machine they run on: where its programs are, and no setting, key, proxy or home of anybody."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
NO_SETTINGS: Final = "/dev/null"
"""A settings file that exists and says nothing, so that `/etc/batchd/batchd.toml` and `./batchd.toml` are not read."""

_KEPT = re.compile(r"PATH|LANG|LC_\w+|TZ|TMPDIR|CI|LD_PRELOAD|TORTURE_\w+|PYTEST_\w+|PYTHON\w+|COVERAGE_\w+")
_OF_PIP = re.compile(r"HOME|PIP_\w+|SSL_CERT_FILE|(?i:\w+_proxy)")
_OUR_OWN: Final = {
    "BATCHD_CONFIG": NO_SETTINGS,
    "HOME": "/nonexistent",
    "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "daemon"), str(REPOSITORY))),
}

pip: Final[dict[str, str]] = {}
"""How pip finds its index on this machine: the only program that a test runs with the user's own environment."""


def isolate() -> None:
    """Leave this process, and whatever it starts, an environment that is the same on every machine."""
    if os.environ.get("HOME") != _OUR_OWN["HOME"]:
        pip.update((name, value) for name, value in os.environ.items() if _OF_PIP.fullmatch(name))
    for name in [name for name in os.environ if not _KEPT.fullmatch(name)]:
        del os.environ[name]
    os.environ.update(_OUR_OWN)


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command that is run in `home`, whose own `batchd.toml` is read if there is one."""
    plain = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    ours = {**_OUR_OWN, "HOME": str(home)}
    if (home / "batchd.toml").exists():
        del ours["BATCHD_CONFIG"]
    return {**plain, **ours, **(more or {})}

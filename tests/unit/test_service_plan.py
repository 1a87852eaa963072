from pathlib import Path

import pytest
from batchd.cli.service_plan import (
    OF_A_PACKAGE,
    OF_THE_MACHINE,
    next_commands,
    of_a_user,
    out_of_sight,
    passing,
    planned,
)
from batchd.errors import Unusable

TEXTS = {
    "batchd.service": "[Service]\nExecStart=/opt/batchd/bin/batchd run\nExecReload=/bin/kill -HUP $MAINPID\n",
    "user/batchd.service": "[Service]\nExecStart=/opt/batchd/bin/batchd run\n",
    "sysusers.d/batchd.conf": "u batchd\n",
    "tmpfiles.d/batchd.conf": "d /etc/batchd\n",
}


def unit(*command: str) -> str:
    return planned(OF_THE_MACHINE, TEXTS, command, page=False)[0].text


def test_the_unit_starts_the_command_that_was_called() -> None:
    assert unit("/usr/bin/batchd").splitlines()[1:] == [
        "ExecStart=/usr/bin/batchd run",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ]
    assert "ExecStart=/usr/bin/python3 -m batchd run\n" in unit("/usr/bin/python3", "-m", "batchd")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/srv/my tools/batchd", '"/srv/my tools/batchd"'),
        ("/srv/50%/batchd", "/srv/50%%/batchd"),
        ("/srv/$x/batchd", "/srv/$$x/batchd"),
        ('/srv/a"b/batchd', '"/srv/a\\"b/batchd"'),
        ("/srv/a;b/batchd", '"/srv/a;b/batchd"'),
    ],
)
def test_a_path_is_written_as_systemd_reads_it(path: str, written: str) -> None:
    assert f"ExecStart={written} run\n" in unit(path)


def test_a_path_that_would_end_the_line_is_refused() -> None:
    with pytest.raises(Unusable, match="install batchd elsewhere"):
        unit("/srv/a\nExecStartPre=/bin/sh/batchd")


def test_files_go_where_the_machine_a_package_or_a_user_has_them() -> None:
    command = ("/usr/bin/batchd",)
    assert [str(file.path) for file in planned(OF_THE_MACHINE, TEXTS, command, page=False)] == [
        "/etc/systemd/system/batchd.service",
        "/etc/sysusers.d/batchd.conf",
        "/etc/tmpfiles.d/batchd.conf",
    ]
    assert all(str(each.path).startswith("/usr/lib/") for each in planned(OF_A_PACKAGE, TEXTS, command, page=False))
    user = of_a_user(Path("/u"), Path("/u/.config"))
    files = planned(user, TEXTS, command, page=False, state=Path('/u/a "b"'))
    assert [str(file.path) for file in files] == ["/u/.config/systemd/user/batchd.service", "/u/batchd/batchd.toml"]
    assert 'state = "/u/a \\"b\\""' in files[1].text


def test_a_page_that_this_release_has_not_is_refused() -> None:
    with pytest.raises(Unusable, match=r"batchd-page\.service"):
        planned(OF_THE_MACHINE, TEXTS, ("/usr/bin/batchd",), page=True)
    more = {**TEXTS, "batchd-page.service": "ExecStart=/opt/batchd/bin/batchd page\n"}
    assert planned(OF_THE_MACHINE, more, ("/b",), page=True)[1].text == "ExecStart=/b page\n"
    assert "enable --now batchd batchd-page" in " ".join(next_commands(OF_THE_MACHINE, page=True, key=Path("/k")))


def test_what_lies_in_homes_or_caches_is_found() -> None:
    paths = [Path("/opt/x"), Path("/home/a/x"), Path("/root/x"), Path("/homework/x"), Path("/run/user/5/x")]
    assert out_of_sight(paths) == [Path("/home/a/x"), Path("/root/x"), Path("/run/user/5/x")]
    cached = Path("/home/a/.cache/uv/archive-v0/k/bin/batchd")
    assert passing([Path("/usr/bin/batchd"), cached]) == [cached]

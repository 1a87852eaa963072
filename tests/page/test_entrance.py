"""Who comes in: names of the host, forms from elsewhere, tokens, proxies and folders."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from batchd.errors import Unusable
from batchd.page.app import application
from batchd.page.listening import listening
from batchd.page.sessions import Sessions
from batchd.settings import Page, Settings

from tests.acceptance.installation import Installation
from tests.support.page import Visit, links, served

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  of this test alone


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return str(file)


def test_a_foreign_name_of_the_host_is_refused(visit: Visit) -> None:
    for host in ("evil.example", "evil.example:8790", "127.0.0.1.evil.example", "", "localhost.", "[::2]:80"):
        assert visit("/", host=host).status == 400, host
    for host in ("localhost", "localhost:1", "127.0.0.1:99", "[::1]:8790", "LOCALHOST"):
        assert visit("/", host=host).status == 200, host


def test_a_name_that_is_set_is_taken(seen: Path) -> None:
    with served(seen, hosts=("batchd.intern",)) as visit:
        assert visit("/", host="batchd.intern").status == 200
        assert visit("/", host="other.intern").status == 400


def test_every_answer_is_closed_to_others(visit: Visit) -> None:
    for path in ("/", "/jobs.json", "/nope", "/static/page.css"):
        headers = visit(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == ("max-age=3600" if "static" in path else "no-store")
    assert visit("/", host="evil.example").headers["cache-control"] == "no-store"


def test_read_only_means_that_no_post_exists(visit: Visit) -> None:
    for path in (
        "/",
        "/jobs",
        "/jobs/1",
        "/jobs/1/cancel",
        "/jobs/1/release",
        "/jobs/1/retry",
        "/batches/1/resolve",
        "/drop",
        "/login",
        "/logout",
        "/events",
    ):
        for headers in ({}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "cross-site"}):
            assert visit(path, "POST", b"", **headers).status in {404, 405}, path
    assert visit("/drop").status == 404


def test_other_machines_are_let_in_only_with_proof(tmp_path: Path, token: str) -> None:
    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
        with pytest.raises(Unusable, match=r"page\.token"):
            application(Settings(state=tmp_path, page=Page(listen=listen)))
        application(Settings(state=tmp_path, page=Page(listen=listen, token=token)))
    with pytest.raises(Unusable, match=r"page\.trusted"):
        application(Settings(state=tmp_path, page=Page(user_header="Remote-User")))
    told = Installation(tmp_path).call("page", "--listen", "0.0.0.0:0")
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "page.token" in told.stderr


def test_the_daemon_goes_first(tmp_path: Path) -> None:
    with Installation(tmp_path) as installation:
        page = installation.start("page", "--listen", "127.0.0.1:0")
        assert page.stdout is not None
        assert page.stdout.readline().startswith("The page is at http://127.0.0.1:")
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, page.pid) == max(own, 10)


@pytest.mark.parametrize(("mode", "text"), [(0o640, TOKEN), (0o600, "short"), (0o600, "")])
def test_a_token_that_others_know_or_guess_is_refused(tmp_path: Path, mode: int, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(Unusable, match=r"page\.token") as said:
        application(Settings(page=Page(token=str(file))))
    assert TOKEN not in str(said.value)


def test_signing_in_and_out(seen: Path, token: str) -> None:
    with served(seen, token=token) as visit:
        assert (visit("/").status, visit("/").headers["location"]) == (303, "/login")
        assert visit("/jobs.json").status == 401
        assert visit("/events").status == 303
        assert visit("/static/page.css").status == 200
        assert visit("/login").status == 200
        assert visit("/login", "POST", f"token={TOKEN}".encode(), origin="http://evil.example").status == 403
        assert visit.post("/login", {"token": "wrong"}).status == 403
        answer = visit.post("/login", {"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert answer.status == 303
        assert cookie.startswith("batchd=")
        assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= set(cookie.lower().split("; "))
        held = cookie.split(";")[0]
        assert visit("/", cookie=held).status == 200
        assert visit("/jobs.json", authorization=f"Bearer {TOKEN}").status == 200
        assert visit("/jobs.json", authorization="Bearer other").status == 401
        assert TOKEN not in visit("/", cookie=held).text
        visit.post("/logout", cookie=held)
        assert visit("/", cookie=held).status == 303


def test_five_tries_a_minute(seen: Path, token: str) -> None:
    with served(seen, token=token) as visit:
        assert [visit.post("/login", {"token": str(n)}).status for n in range(6)] == [403] * 5 + [429]
        assert visit.post("/login", {"token": TOKEN}).status == 429


def test_sessions_end_by_themselves() -> None:
    now = [0.0]
    sessions = Sessions(TOKEN.encode(), lambda: now[0])
    cookie = sessions.begin()
    now[0] = 12 * 3600 - 1
    assert sessions.lasts(cookie)
    now[0] += 1
    assert not sessions.lasts(cookie)
    for _ in range(5):
        sessions.is_token("x", "a")
    assert not sessions.may_try("a")
    assert sessions.may_try("b")
    now[0] += 60
    assert sessions.may_try("a")


def test_a_proxy_names_who_asks_over_the_socket(seen: Path, tmp_path: Path) -> None:
    socket = tmp_path / "page.sock"
    folders = {"alice": ("legal",), "bob": ("*",), "carol": ("",)}
    with served(seen, listen=f"unix:{socket}", user_header="Remote-User", folders=folders) as visit:
        assert stat.S_IMODE(socket.stat().st_mode) == 0o660
        assert visit("/").status == 403

        def names(user: str) -> set[str]:
            return {each["job"] for each in visit("/jobs.json", remote_user=user).data["jobs"]}

        assert names("alice") == {"legal/contracts"}
        assert names("bob") == {"legal/contracts", "support/tickets", "notes", "dear", "slow"}
        assert names("carol") == {"notes", "dear", "slow"}
        assert names("mallory") == set()
        jobs = {each["job"]: each["id"] for each in visit("/jobs.json", remote_user="bob").data["jobs"]}
        assert visit(f"/jobs/{jobs['notes']}", remote_user="alice").status == 404
        assert visit(f"/jobs/{jobs['legal/contracts']}", remote_user="alice").status == 200
        assert visit("/jobs.json", remote_user="alice").data["waits"] == []
        assert visit("/jobs.json", remote_user="alice").data["refusals"] == []
        for batch in visit("/batches.json", remote_user="alice").data["batches"]:
            assert batch["jobs"] == ["legal/contracts"]
        spent = {each["folder"] for each in visit("/costs.json?by=folder", remote_user="alice").data["spent"]}
        assert spent == {"legal"}
        secure = visit("/", remote_user="alice", x_forwarded_proto="https")
        assert "alice" in secure.text


def test_headers_of_strangers_are_ignored(seen: Path) -> None:
    with served(seen, user_header="Remote-User", trusted=("192.0.2.7",)) as visit:
        assert visit("/", remote_user="alice").status == 403
    with served(seen, user_header="Remote-User", trusted=("127.0.0.0/8",)) as visit:
        assert visit("/", remote_user="alice").status == 200
        assert visit("/").status == 403
    with served(seen, user_header="R", trusted=("127.0.0.1",), folders={"*": ("support",)}) as visit:
        assert {each["job"] for each in visit("/jobs.json").data["jobs"]} == {"support/tickets"}


def test_a_prefix_is_in_every_link_whether_or_not_the_proxy_strips_it(seen: Path) -> None:
    with served(seen, base_path="/batchd") as visit:
        for path in ("/", "/batchd/", "/batchd"):
            text = visit(path).text
            assert 'href="/batchd/costs"' in text
            assert 'href="/batchd/static/page.css' in text
            assert not [each for each in links(text) if each.startswith("/") and not each.startswith("/batchd/")]
        assert visit("/batchd/jobs.json").status == 200


def test_places_to_listen_at() -> None:
    assert listening("[::1]:80").is_local
    assert listening("unix:/run/x").is_local
    assert not listening("10.0.0.1:80").is_local
    for wrong in ("8790", "a:b", "unix:", "127.0.0.1:99999", ":80"):
        with pytest.raises(Unusable):
            listening(wrong)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", ["batchd-page.service", "user/batchd-page.service"])
def test_the_unit_is_sound_and_may_little(tmp_path: Path, unit: str) -> None:
    text = (Path(__file__).parents[2] / "systemd" / unit).read_text()
    assert "\nLoadCredential" not in text
    copy = tmp_path / "batchd-page.service"
    copy.write_text(text.replace("/opt/batchd/bin/batchd", "/bin/true").replace("After=batchd.service\n", ""))
    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    if unit.startswith("user/"):
        return  # judged as one of the machine's it would run as root
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", copy], capture_output=True, text=True, check=False
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
    assert found, judged.stderr
    assert float(found[1]) <= 1.2

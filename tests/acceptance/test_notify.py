"""`batchd notify`, and what the other commands say of those who are told."""

import json

import pytest

from tests.acceptance.installation import Installation
from tests.support.receiver import receiver


def toml(url: str, more: str = "") -> str:
    return f'[notify.sinks.team]\nurl = "{url}/T0/secret-token"\nprivate = true\n{more}'


def test_a_sink_is_tried_and_never_shown_whole(batchd: Installation) -> None:
    with receiver() as told:
        (batchd.home / "batchd.toml").write_text(toml(told.url))
        taken = batchd.call("notify", "test")
        assert (taken.returncode, told.types()) == (0, ["test"])
        told.answer = lambda _: (500, {}, b"canary of an answer")
        refused = batchd.call("notify", "test", "team")
        assert refused.returncode == 1
        assert "HTTP 500" in refused.stderr
        as_json = json.loads(batchd.call("notify", "test", "--json").stdout)
        assert as_json["sinks"]["team"] == {"ok": False, "reason": "HTTP 500"}
    assert "secret-token" not in taken.stdout + refused.stderr
    assert "canary" not in refused.stderr
    assert batchd.call("notify", "test", "nobody").returncode == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('secret = "nowhere"', "cannot be read"),
        ('[notify.sinks.other]\ncommand = ["/nonexistent/tell"]', "is not there"),
    ],
)
def test_doctor_says_what_is_wrong_with_a_sink(batchd: Installation, more: str, said: str) -> None:
    (batchd.home / "batchd.toml").write_text(toml("http://127.0.0.1:9", more))
    found = batchd.call("doctor", "--offline")
    assert found.returncode == 1
    assert said in " ".join(found.stdout.split())
    assert "secret-token" not in found.stdout

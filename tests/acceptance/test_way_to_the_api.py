"""batchd where the way to the API is not straight: proxies, certificates, names."""

import json

import pytest

from tests.acceptance.installation import Installation

DEAD = "http://127.0.0.1:9"
BEHIND_A_DEAD_PROXY = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), DEAD)


def test_the_demo_needs_no_network_and_so_no_proxy(batchd: Installation) -> None:
    ended = batchd.call("demo", **BEHIND_A_DEAD_PROXY)
    assert ended.returncode == 0, ended.stderr


def test_run_in_the_sandbox_needs_no_proxy(batchd: Installation) -> None:
    batchd.drop("letter.md", "Write a letter of at least 50 words.")
    ended = batchd.call("run", "--once", "--sandbox", **BEHIND_A_DEAD_PROXY)
    assert ended.returncode == 0, ended.stderr
    assert batchd.job("letter")["state"] == "done"


@pytest.mark.parametrize(
    ("surroundings", "said"),
    [
        ({"ANTHROPIC_BASE_URL": "http://no-such-host.invalid"}, "its name was not found (DNS)"),
        ({"ANTHROPIC_BASE_URL": DEAD}, "127.0.0.1:9 cannot be reached: connection refused"),
        ({"ANTHROPIC_BASE_URL": "http://api.example.invalid", "HTTP_PROXY": DEAD}, "the proxy of $HTTP_PROXY"),
    ],
)
def test_the_doctor_says_what_is_in_the_way(batchd: Installation, surroundings: dict[str, str], said: str) -> None:
    ended = batchd.call("doctor", "--json", ANTHROPIC_API_KEY="CANARY-KEY", **surroundings)
    assert ended.returncode == 1
    (finding,) = [each for each in json.loads(ended.stdout)["findings"] if each["about"] == "api"]
    assert said in finding["message"]
    assert finding["remedy"]
    assert "CANARY" not in ended.stdout + ended.stderr

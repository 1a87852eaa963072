"""Decisions about notices: which addresses may be told, who is, how it is said, and when it is tried again."""

from ipaddress import ip_address

import msgspec
import pytest
from batchd.decisions.notices.addresses import objection
from batchd.decisions.notices.body import MOST, message_of
from batchd.decisions.notices.pace import gap, over
from batchd.decisions.notices.routing import Route, sinks_for
from batchd.decisions.notices.wording import worded
from batchd.notice import Kind, Notice, queue_of


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::", "::ffff:8.8.8.8"]
)
def test_public_addresses_may_be_told(address: str) -> None:
    assert objection(ip_address(address), private=False) is None


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "::1", "fd00::1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:127.0.0.1", "::ffff:10.1.2.3"),
    ],
)
def test_private_ones_only_where_that_is_said(address: str) -> None:
    assert objection(ip_address(address), private=False) is not None
    assert objection(ip_address(address), private=True) is None


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255"),  # noqa: S104
        *("fd00:ec2::254", "100.100.100.200", "168.63.129.16"),
        *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:169.254.169.254", "2001:0:0:0:0:0:5601:5601"),
    ],
)
def test_some_never(address: str) -> None:
    assert objection(ip_address(address), private=True) is not None


def test_gaps_grow_and_end() -> None:
    assert [gap(attempts, chance=0.5) for attempts in range(10)] == pytest.approx(
        [0, 5, 30, 120, 600, 1800, 7200, 18_000, 18_000, 18_000]
    )
    assert gap(2, chance=0.0) == pytest.approx(24)
    assert gap(2, chance=1.0) == pytest.approx(36)
    assert not over(0.0, 71.9 * 3600)
    assert over(0.0, 72 * 3600)


def notice(kind: Kind, queue: str | None = None, named: frozenset[str] = frozenset(), **data: str) -> Notice:
    return Notice(7, kind, 0.0, data, None, queue, named)


def test_who_is_told() -> None:
    routes = [
        Route("all"),
        Route("legal", None, frozenset({"legal"})),
        Route("ends", frozenset({Kind.JOB_FINISHED})),
        Route("named", frozenset({Kind.DIGEST})),
    ]
    done = notice(Kind.JOB_FINISHED, "legal", state="done")
    assert sinks_for(done, routes) == ["ends"]
    assert sinks_for(notice(Kind.JOB_FINISHED, "legal", state="partial"), routes) == ["all", "legal", "ends"]
    assert sinks_for(notice(Kind.JOB_HELD, "sales"), routes) == ["all"]
    assert sinks_for(notice(Kind.SENDING_PARKED), routes) == ["all"]
    assert sinks_for(notice(Kind.DIGEST), routes) == ["all", "named"]
    assert sinks_for(notice(Kind.JOB_HELD, "sales", frozenset({"named", "nobody"})), routes) == ["all", "named"]


@pytest.mark.parametrize("path", [("a.jsonl", ""), ("legal/a.jsonl", "legal"), ("legal/deep/a.jsonl", "legal")])
def test_a_queue_is_the_top_folder(path: tuple[str, str]) -> None:
    assert queue_of(path[0]) == path[1]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_said_in_a_title_and_three_lines(kind: Kind) -> None:
    title, lines = worded(kind, {"free_bytes": 5, "url": "https://page.example"})
    assert title.startswith("batchd: ")
    assert len(lines) <= 3
    assert "\n" not in title + "".join(lines)


def test_no_name_makes_a_body_long() -> None:
    message = message_of(notice(Kind.FILE_REJECTED, file="ä" * 4_000, source="ü" * 4_000), "tag")
    assert len(message.body) <= MOST
    assert msgspec.json.decode(message.body)["id"] == "msg_tag_7"

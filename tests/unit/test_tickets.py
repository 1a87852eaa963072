"""A ticket in a file's name: found where it is one, and nowhere else."""

from pathlib import PurePosixPath

import pytest
from batchd.text.tickets import is_ticket, made_of, parted, with_ticket
from hypothesis import given
from hypothesis import strategies as st

TICKET = "01hzx3k8v1q0r7c2d5f9g4h6j2"


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        (f"orders.@{TICKET}.jsonl", "orders.jsonl"),
        (f"nightly/orders.@{TICKET}.jsonl", "nightly/orders.jsonl"),
        (f"a.b.@{TICKET}.md", "a.b.md"),
        (f"book.@{TICKET}.job", "book.job"),
        (f"bare.@{TICKET}", "bare"),
    ],
)
def test_a_ticket_is_taken_out_of_a_name(name: str, bare: str) -> None:
    assert parted(PurePosixPath(name)) == (PurePosixPath(bare), TICKET)


@pytest.mark.parametrize(
    "name",
    [
        "orders.jsonl",
        f".@{TICKET}.md",
        f"orders.{TICKET}.jsonl",
        f"orders.@{TICKET * 3}.jsonl",
        "orders.@.jsonl",
        "orders.@to be sent.jsonl",
        f"orders.@{TICKET}.tar.gz",
        f"to@{TICKET}.md",
    ],
)
def test_what_only_looks_like_one_stays_in_the_name(name: str) -> None:
    assert parted(PurePosixPath(name)) == (PurePosixPath(name), None)


@given(st.integers(0, 2**48), st.integers(0, 2**80 - 1))
def test_what_is_made_is_a_ticket_and_comes_out_of_a_name_again(milliseconds: int, random: int) -> None:
    ticket = made_of(milliseconds, random)
    assert is_ticket(ticket)
    assert len(ticket) == 26
    assert parted(PurePosixPath(with_ticket("a.jsonl", ticket))) == (PurePosixPath("a.jsonl"), ticket)


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1), st.integers(0, 2**80 - 1))
def test_tickets_sort_by_their_making(milliseconds: int, one: int, other: int) -> None:
    assert made_of(milliseconds, one) < made_of(milliseconds + 1, other)

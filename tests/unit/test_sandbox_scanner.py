import json

import pytest
from batchd.sandbox.scanner import Scanner, Unscannable
from hypothesis import given
from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\{}[],:é\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='x"\\{}'), inner, max_size=3),
    max_leaves=8,
)
params = st.dictionaries(st.text(alphabet='k"\\{['), values, max_size=4)


def scan(body: bytes, size: int) -> Scanner:
    scanner = Scanner()
    for at in range(0, len(body), size):
        scanner.feed(body[at : at + size])
    return scanner


@given(
    requests=st.lists(st.tuples(st.text(alphabet='i"\\}{', max_size=5), params), max_size=4),
    size=st.integers(1, 40),
    ascii_only=st.booleans(),
)
def test_cuts_every_params_out_wherever_the_pieces_break(
    *,
    requests: list[tuple[str, object]],
    size: int,
    ascii_only: bool,
) -> None:
    whole = {"requests": [{"custom_id": name, "params": value} for name, value in requests]}
    body = json.dumps(whole, ensure_ascii=ascii_only).encode()

    scanner = scan(body, size)

    found = [json.loads(body[start:end]) for start, end in zip(scanner.spans[::2], scanner.spans[1::2], strict=True)]
    assert found == [value for _, value in requests]
    assert json.loads(bytes(scanner.skeleton)) == {
        "requests": [{"custom_id": name, "params": {}} for name, _ in requests],
    }


def test_a_backslash_at_the_end_of_a_piece_still_escapes() -> None:
    body = b'{"requests":[{"params":{"a":"\\\\\\"}"}}]}'
    assert [scan(body, size).spans.tolist() for size in range(1, len(body) + 1)] == [[23, 36]] * len(body)


def test_refuses_to_collect_without_end() -> None:
    with pytest.raises(Unscannable):
        scan(b'"' + b"x" * 60_000_000 + b'"', 1_000_000)

"""Many bytes written past the page cache: the same ones wherever they begin, also where no file system lets them."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from batchd.edges import direct
from hypothesis import given, settings
from hypothesis import strategies as st

SIZES = st.lists(st.sampled_from([0, 1, 4095, 4096, 5_000, 70_000, 262_144, 1_048_576, 1_100_000]), max_size=6)
STARTS = st.sampled_from([0, 1, 100, 4095, 4096, 4097, 10_000])


def bytes_of(size: int, seed: int) -> bytes:
    return bytes((seed + each) % 251 for each in range(997)) * (size // 997 + 1)


@contextmanager
def opened(place: Path) -> Iterator[int]:
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, start=STARTS)
def test_what_is_written_stands_there_wherever_it_begins(
    sizes: list[int], start: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.getbasetemp() / "written"
    chunks = [bytes_of(size, seed)[:size] for seed, size in enumerate(sizes)]
    with opened(place) as descriptor:
        os.pwrite(descriptor, b"x" * start, 0)
        end = direct.write_at(descriptor, start, chunks)
    whole = b"x" * start + b"".join(chunks)
    assert end == len(whole)
    assert place.read_bytes() == whole


def test_what_one_group_ends_with_the_next_one_goes_on_behind(tmp_path: Path) -> None:
    lines = [bytes_of(300_001, seed)[:300_001] for seed in range(7)]
    with opened(tmp_path / "grown") as descriptor:
        end = 0
        for line in lines:
            end = direct.write_at(descriptor, end, (line, b"\n"))
    assert (tmp_path / "grown").read_bytes() == b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("refused", [errno.EINVAL, errno.ENOTSUP])
@pytest.mark.parametrize("by", ["fcntl", "pwrite"])
def test_where_no_file_system_lets_it_the_cache_takes_it(
    refused: int, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl_, pwrite = fcntl.fcntl, os.pwrite

    def set_flags(descriptor: int, command: int, flags: int = 0) -> int:
        if by == "fcntl" and command == fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(refused, os.strerror(refused))
        return int(fcntl_(descriptor, command, flags))

    def write(descriptor: int, some: bytes, at: int) -> int:
        if by == "pwrite" and fcntl_(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(refused, os.strerror(refused))
        return pwrite(descriptor, some, at)

    monkeypatch.setattr(fcntl, "fcntl", set_flags)
    monkeypatch.setattr(os, "pwrite", write)
    whole = bytes_of(3_000_000, 1)[:2_999_999]
    with opened(tmp_path / "file") as descriptor:
        assert direct.write_at(descriptor, 0, (whole,)) == len(whole)
    assert (tmp_path / "file").read_bytes() == whole


def test_a_disk_that_takes_a_part_gets_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite

    def some_of_it(descriptor: int, some: memoryview, at: int) -> int:
        return pwrite(descriptor, some[: max(len(some) // 2, 1)], at)

    monkeypatch.setattr(os, "pwrite", some_of_it)
    whole = bytes_of(2_000_000, 1)[:1_999_999]
    with opened(tmp_path / "file") as descriptor:
        assert direct.write_at(descriptor, 5, (whole,)) == 5 + len(whole)
    assert (tmp_path / "file").read_bytes()[5:] == whole


def test_a_disk_that_is_full_says_so_and_the_next_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bytes_of(2_000_000, 1)[:1_999_999]

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(tmp_path / "file") as descriptor:
        with monkeypatch.context() as at_first:
            at_first.setattr(os, "pwrite", full)
            with pytest.raises(OSError, match="No space left"):
                direct.write_at(descriptor, 0, (whole,))
        direct.write_at(descriptor, 0, (whole,))
    assert (tmp_path / "file").read_bytes() == whole


def test_of_many_bytes_all_whole_blocks_go_past_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    past: list[int] = []

    def seen(descriptor: int, some: memoryview, at: int) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            past.append(len(some))
        return pwrite(descriptor, some, at)

    monkeypatch.setattr(os, "pwrite", seen)
    with opened(tmp_path / "file") as descriptor:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_RDWR | os.O_DIRECT)
        except OSError:
            pytest.skip("this file system lets nothing past its cache")
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_RDWR)
        direct.write_at(descriptor, 10, (bytes_of(2_000_000, 1)[:2_000_000],))
        assert not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT
    assert sum(past) > 1_990_000

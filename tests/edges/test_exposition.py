"""The file of metrics: whoever reads it while it is written anew has it whole."""

from pathlib import Path
from threading import Event, Thread

from batchd.decisions import figures
from batchd.edges import exposition

LAST = 'batchd_last{queue="999"} 1.0'


def test_it_is_never_seen_half(tmp_path: Path) -> None:
    families = [
        figures.table("gauge", "batchd_first", "Many.", ("queue",), {(str(n),): 1.0 for n in range(1_000)}),
        figures.table("gauge", "batchd_last", "As many.", ("queue",), {(str(n),): 1.0 for n in range(1_000)}),
    ]
    path = tmp_path / "batchd.prom"
    exposition.write(path, families)
    ended = Event()

    def write() -> None:
        for _ in range(40):
            exposition.write(path, families)
        ended.set()

    thread = Thread(target=write)
    thread.start()
    reads = 0
    while not ended.is_set():
        text = path.read_text()
        assert LAST in text
        assert text.endswith("\n")
        reads += 1
    thread.join()
    assert reads
    assert list(tmp_path.iterdir()) == [path]

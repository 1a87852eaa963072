"""Faults in what makes it fast: many files that share a sync, and groups that are read while others are written."""

from tests.faults.torture.deliberate.mutation import Mutation

WHOLE_FILES = "daemon/batchd/edges/whole_files.py"
WRITTEN = "tests/edges/test_whole_files.py"

MUTATIONS = (
    Mutation(
        "speed",
        "documents are not made again after a crash",
        "daemon/batchd/edges/disk.py",
        "        unlink_at(folder, name)\n    return os.open(name, WRITE_NEW,",
        "        pass\n    return os.open(name, WRITE_NEW & ~(os.O_EXCL | os.O_WRONLY),",
        f"{WRITTEN}::test_what_a_crash_left_half_written_is_made_again",
    ),
    Mutation(
        "speed",
        "documents have their names before they are durable",
        WHOLE_FILES,
        "            durable.sync_file_system(whole)",
        "            pass",
        f"{WRITTEN}::test_no_file_has_its_name_before_all_are_durable",
    ),
    Mutation(
        "speed",
        "an error of one sync among several is told to nobody",
        "daemon/batchd/edges/durable.py",
        "        raise troubles[0]",
        "        pass",
        f"{WRITTEN}::test_a_file_that_cannot_be_synced_is_told",
    ),
    Mutation(
        "speed",
        "a result that comes twice, in groups one behind the other, is delivered twice",
        "daemon/batchd/journey/collector.py",
        "not trips[row].delivered and row not in reading.ahead:",
        "not trips[row].delivered:",
        "tests/faults/test_read_ahead.py",
    ),
    Mutation(
        "speed",
        "lines between which no mark can stand hide the mark behind them",
        "daemon/batchd/text/sections.py",
        "at = document.find(sign, end) if end >= 0 else -1",
        "at = -1",
        "tests/unit/test_sections.py",
    ),
)

"""Faults in what makes it fast: many files that share a sync, and groups that are read while others are written."""

from tests.faults.torture.deliberate.mutation import Mutation

GROUP_COMMIT = "daemon/batchd/journey/group_commit.py"
COMMITTED = "tests/journey/test_group_commit.py"
WRITTEN = "tests/edges/test_whole_files.py"
DIRECT = "daemon/batchd/edges/direct.py"
PAST = "tests/edges/test_direct.py"
DURABLE = "tests/edges/test_durable.py"
STORED = "tests/edges/test_store.py"

MUTATIONS = (
    Mutation(
        "speed",
        "what of many bytes fills no block is not written",
        DIRECT,
        "            at = _write(descriptor, at + written, piece[written:])",
        "            at = _write(descriptor, at + written, piece[max(written, blocks):])",
        f"{PAST}::test_a_disk_that_takes_a_part_gets_the_rest",
    ),
    Mutation(
        "speed",
        "a file system that lets nothing past its cache gets nothing",
        DIRECT,
        "            return 0",
        "            return len(blocks)",
        f"{PAST}::test_where_no_file_system_lets_it_the_cache_takes_it",
    ),
    Mutation(
        "speed",
        "a file stays open past the cache",
        DIRECT,
        "    finally:\n        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)",
        "    finally:\n        pass",
        f"{PAST}::test_what_is_written_stands_there_wherever_it_begins",
    ),
    Mutation(
        "speed",
        "documents are not made again after a crash",
        "daemon/batchd/edges/disk.py",
        "        unlink_at(folder, name)\n        made = os.open(name, WRITE_NEW,",
        "        made = os.open(name, WRITE_NEW & ~(os.O_EXCL | os.O_WRONLY),",
        f"{WRITTEN}::test_what_a_crash_left_half_written_is_made_again",
    ),
    Mutation(
        "speed",
        "documents have their names before they are durable",
        "daemon/batchd/journey/shares.py",
        "    together.sync()\n    troubles: Troubles = {}",
        "    troubles: Troubles = {}",
        f"{COMMITTED}::test_nothing_is_acknowledged_before_it_is_durable",
    ),
    Mutation(
        "speed",
        "the names of documents are acknowledged before they are durable",
        "daemon/batchd/journey/shares.py",
        "    together.sync()\n    return troubles",
        "    return troubles",
        f"{COMMITTED}::test_nothing_is_acknowledged_before_it_is_durable",
    ),
    Mutation(
        "speed",
        "a document is acknowledged before the name of its folder is durable",
        "daemon/batchd/journey/shares.py",
        "for parent in folder.inside(below).parents:",
        "for parent in ():",
        f"{COMMITTED}::test_the_folder_that_documents_are_put_in_is_durable_before_they_are_acknowledged",
    ),
    Mutation(
        "speed",
        "what is written while a sync fails is acknowledged by the next sync",
        GROUP_COMMIT,
        " or written.failures != self._failures",
        "",
        f"{COMMITTED}::test_a_sync_that_fails_loses_all_that_was_begun",
    ),
    Mutation(
        "speed",
        "lines are acknowledged behind lines that are lost",
        GROUP_COMMIT,
        "return written.ends[job].lost or",
        "return",
        f"{COMMITTED}::test_lines_behind_lost_ones_are_lost_with_them",
    ),
    Mutation(
        "speed",
        "a job's folder on a mount of its own is taken for synced with the outbox",
        "daemon/batchd/edges/durable.py",
        "if synced is None or self._elsewhere(root, inside, synced)",
        "if synced is None",
        f"{DURABLE}::test_what_lies_on_a_mount_of_its_own_is_synced_by_itself",
    ),
    Mutation(
        "speed",
        "what was made on a mount of its own is taken for synced with the outbox",
        "daemon/batchd/edges/durable.py",
        "if synced is None or self._elsewhere(root, folder, synced)",
        "if synced is None",
        f"{DURABLE}::test_what_lies_on_a_mount_of_its_own_is_synced_by_itself",
    ),
    Mutation(
        "speed",
        "files that were made are not synced where no sync of all is made",
        "daemon/batchd/edges/durable.py",
        "yield from (folder / name for name in names)",
        "yield from ()",
        f"{DURABLE}::test_what_was_made_in_a_folder_is_synced_with_it",
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
    Mutation(
        "speed",
        "of many rows that are stored at once, those that fill no statement are left out",
        "daemon/batchd/edges/store/sqlite/transaction.py",
        "_PORTIONS = (64, 8, 1)",
        "_PORTIONS = (64, 8)",
        f"{STORED}::test_what_is_stored_for_many_at_once_is_each_ones_own",
    ),
    Mutation(
        "speed",
        "a step that fails by itself is committed as far as it came",
        "daemon/batchd/edges/store/sqlite/database.py",
        '        await db.rollback()\n    else:\n        await db.execute("COMMIT")',
        '    await db.execute("COMMIT")',
        f"{STORED}::test_a_step_that_fails_leaves_nothing_whether_it_is_alone_or_not",
    ),
    Mutation(
        "speed",
        "steps share a commit however long they are",
        "daemon/batchd/edges/store/sqlite/database.py",
        "while done < len(group) and anyio.current_time() - began < LONG:",
        "while done < len(group):",
        f"{STORED}::test_steps_that_are_long_share_no_commit",
    ),
)

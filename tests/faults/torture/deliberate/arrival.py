"""Faults in how a large file is stored behind the commit that accepts it, and in what the watchdog is told."""

from tests.faults.torture.deliberate.mutation import Mutation

ARRIVAL = "tests/faults/test_arrival.py"
WATCHDOG = "tests/edges/test_watchdog.py"

MUTATIONS = (
    Mutation(
        "1",
        "what is to be known of a large file's requests goes with the commit that accepts it",
        "daemon/batchd/journey/accepting.py",
        "            if not lacking:\n",
        "            if True:\n",
        f"{ARRIVAL}::test_killed_at_any_slice_the_file_is_one_job_with_all_its_requests[before add-0]",
    ),
    Mutation(
        "1",
        "a start takes an index for a leftover",
        "daemon/batchd/journey/intake.py",
        "        return job is not None and job.missing > 0\n",
        "        return False\n",
        f"{ARRIVAL}::test_killed_at_any_slice_the_file_is_one_job_with_all_its_requests[before add-1]",
    ),
    Mutation(
        "1",
        "a start stores a large file's first requests again",
        "daemon/batchd/journey/accepting.py",
        "for _ in islice(rows, job.total - job.missing):",
        "for _ in islice(rows, 0):",
        f"{ARRIVAL}::test_killed_at_any_slice_the_file_is_one_job_with_all_its_requests[before add-1]",
    ),
    Mutation(
        "1",
        "a file that is accepted meanwhile takes the ids of requests that are to follow",
        "daemon/batchd/edges/store/requests.py",
        "FROM jobs WHERE missing > 0) AS to_follow,",
        "FROM jobs WHERE missing < 0) AS to_follow,",
        ARRIVAL + "::test_requests_keep_the_order_of_their_file_whatever_is_accepted_between",
    ),
    Mutation(
        "13",
        "the requests of a restored state get ids of its lost life",
        "daemon/batchd/edges/store/requests.py",
        "FROM facts WHERE name = ?) AS lost",
        "FROM facts WHERE name = ? || '-') AS lost",
        ARRIVAL + "::test_a_restored_state_gives_requests_that_follow_no_id_of_its_lost_life",
    ),
    Mutation(
        "5",
        "a job is taken for finished before its last request has come",
        "daemon/batchd/edges/store/jobs.py",
        "AND NOT retry_wanted AND missing = 0",
        "AND NOT retry_wanted",
        ARRIVAL + "::test_what_has_not_arrived_waits_and_keeps_its_job_from_finishing",
    ),
    Mutation(
        "12",
        "the watchdog is fed whatever stands still",
        "daemon/batchd/running/watchdog.py",
        "                if stands is None:\n",
        "                if stands is None or standing:\n",
        WATCHDOG,
    ),
    Mutation(
        "12",
        "nobody asks the connection that reads",
        "daemon/batchd/running/watchdog.py",
        "                await self._store.database.answers()\n",
        "                pass\n",
        WATCHDOG,
    ),
    Mutation(
        "14",
        "what lasts is not told to those who only read the outbox",
        "daemon/batchd/running/held_file.py",
        "            case Work.ADD | Work.STEP | Work.PACK | Work.FINISH | Work.REOPEN:",
        "            case Work.ADD | Work.PACK | Work.REOPEN:",
        "tests/faults/test_spoiled_places.py"
        "::test_what_the_world_keeps_from_being_done_for_an_hour_is_told_in_the_folder_of_the_job",
    ),
    Mutation(
        "12",
        "the log of a large file is not given back",
        "daemon/batchd/journey/accepting.py",
        "        from_thread.run(self._store.database.give_back_log)\n",
        "",
        f"{ARRIVAL}::test_a_large_file_leaves_no_large_log_behind",
    ),
)

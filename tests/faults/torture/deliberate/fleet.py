"""Faults in what many workers on one database rely on."""

from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS = (
    Mutation(
        "2",
        "two packers spend at once",
        "daemon/batchd/worker.py",
        """        while not await self.membership.sweeps():
            await self.clock.sleep(_KNOCK)
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self.alone())""",
        """        with ExitStack():
            while True:
                try:
                    pass""",
        "tests/faults/test_workers.py::test_what_a_day_may_cost_holds_for_all_workers_together",
    ),
    Mutation(
        "2",
        "each worker has a quota of its own",
        "daemon/batchd/edges/store/calls.py",
        'count = min(most, per_minute - int(row["taken"]))',
        "count = most",
        "tests/faults/test_workers.py::test_three_workers_call_no_more_than_one_quota_lets_them",
    ),
    Mutation(
        "12",
        "a timetable that was emptied stays so",
        "daemon/batchd/dispatcher/due_work.py",
        "                self.soonest = min(self.soonest, look_in)",
        "                pass",
        "tests/faults/test_workers.py::test_a_timetable_that_was_emptied_is_filled_again",
    ),
)

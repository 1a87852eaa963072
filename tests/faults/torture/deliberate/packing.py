"""Faults in what leaves first, in what is held, and in how a job comes to its end."""

from tests.faults.torture.deliberate.mutation import Mutation

BUDGET = "daemon/batchd/decisions/money/budget.py"
PACKER = "daemon/batchd/journey/packer.py"
QUEUE = "daemon/batchd/edges/store/queue.py"
FINISHING = "daemon/batchd/journey/finishing.py"
PACKING = "tests/journey/test_packing.py"
REOPENING = "tests/journey/test_reopening.py"

MUTATIONS = (
    Mutation(
        "packing",
        "a job that still arrives leaves in a batch for each slice of it",
        PACKER,
        "arriving = {job.id for job in await self._store.arrivals.arriving()} if waits.arriving else set()",
        "arriving: set[JobId] = set()",
        PACKING,
    ),
    Mutation(
        "packing",
        "the youngest go first where there is no room for all",
        QUEUE,
        "ORDER BY requests.id LIMIT ?2",
        "ORDER BY requests.id DESC LIMIT ?2",
        PACKING,
    ),
    Mutation(
        "packing",
        "what is cheap overtakes what does not fit",
        BUDGET,
        "        if request.job in allowed.holds:\n            continue\n",
        "",
        PACKING,
    ),
    Mutation(
        "packing",
        "a document that was begun is held for its price",
        BUDGET,
        "if request.promised:",
        "if request.promised and request.worst is not None:",
        PACKING,
    ),
    Mutation(
        "packing",
        "a look that changed nothing is repeated",
        PACKER,
        "if jobs <= held:",
        "if False:",
        PACKING,
    ),
    Mutation(
        "packing",
        "a parked job is packed",
        PACKER,
        "but = without | order.ranked if",
        "but = order.ranked if",
        PACKING,
    ),
    Mutation(
        "finishing",
        "a retry takes paid answers out of the results",
        "daemon/batchd/journey/reopening.py",
        '(custom_id in gone.failed and type_ != "succeeded")',
        "custom_id in gone.failed",
        REOPENING,
    ),
    Mutation(
        "finishing",
        "half a line is continued by the next",
        "daemon/batchd/journey/reopening.py",
        'line, which the next must not continue.\n        yield line if line.endswith(b"\\n") else line + b"\\n"',
        "line, which the next must not continue.\n        yield line",
        REOPENING,
    ),
    Mutation(
        "finishing",
        "a job that is finished twice finishes at another time",
        "daemon/batchd/edges/store/jobs.py",
        "SET finished_at = coalesce(finished_at, ?)",
        "SET finished_at = coalesce(?, finished_at)",
        "tests/journey/test_finishing.py",
    ),
    Mutation(
        "finishing",
        "params that a retry needs are discarded",
        FINISHING,
        "if not await self._store.jobs.needs_params(job.claim):",
        "if True:",
        "tests/journey/test_finishing.py",
    ),
    Mutation(
        "finishing",
        "a finished job is still said to be held",
        FINISHING,
        "        await to_thread.run_sync(folder.remove, HELD)\n",
        "",
        "tests/journey/test_finishing.py",
    ),
    Mutation(
        "finishing",
        "job.json is there before the report is",
        FINISHING,
        "        await self._deliver_drafts(job, folder)\n",
        "        await to_thread.run_sync(folder.write_whole, JOB, [self.summarized(job, tally, batches)])\n",
        "tests/journey/test_finishing.py",
    ),
)

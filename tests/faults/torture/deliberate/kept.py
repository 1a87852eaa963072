"""Faults in what is kept: sums that outlive what they are of, pauses, retention, backups."""

from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS = (
    Mutation(
        "kept",
        "what a trip was reserved for stays in the sums beside what it cost",
        "daemon/batchd/edges/store/rollup.py",
        "    await update(db, less, *among)\n",
        "",
        "tests/edges/test_spending.py",
    ),
    Mutation(
        "kept",
        "what was dissolved stays in the sums",
        "daemon/batchd/edges/store/trips.py",
        '    await in_step(db, batch, lambda db: update(db, "DELETE FROM trips WHERE batch = ?", batch))',
        '    await update(db, "DELETE FROM trips WHERE batch = ?", batch)',
        "tests/edges/test_spending.py",
    ),
    Mutation(
        "kept",
        "a state from before has no sums",
        "daemon/batchd/edges/store/migrations/003.sql",
        "    FROM charges GROUP BY 1, 2, 3, 4, 5;",
        "    FROM charges WHERE 0 GROUP BY 1, 2, 3, 4, 5;",
        "tests/edges/test_spending.py::test_a_state_from_before_has_its_sums",
    ),
)

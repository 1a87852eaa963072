"""Faults in what two who work on one database on a server rely on: its lock, its tables, and the same settings."""

from tests.faults.torture.deliberate.mutation import Mutation

_DATABASE = "daemon/batchd/edges/store/postgresql/database.py"
_SCHEMA = "daemon/batchd/edges/store/postgresql/schema.py"

MUTATIONS = (
    Mutation(
        "2",
        "steps of two processes run at one time on a server",
        _DATABASE,
        "await db.execute(ONE_AT_A_TIME)",
        'await db.execute("SELECT 1")',
        "tests/faults/test_one_writer.py",
    ),
    Mutation(
        "2",
        "a standby with other budgets takes over",
        "daemon/batchd/app.py",
        "if said := drift(agreed, own):",
        "if False:",
        "tests/faults/test_drift.py",
    ),
    Mutation(
        "2",
        "a server's database that somebody changed is worked on",
        _SCHEMA,
        "if differs := sorted(",
        "if differs := set() and sorted(",
        "tests/faults/test_postgresql_upgrades.py",
    ),
    Mutation(
        "2",
        "a server's database of the version before is taken for one of this",
        _SCHEMA,
        "if version < newest() and not to_be_migrated:",
        "if False:",
        "tests/faults/test_postgresql_upgrades.py",
    ),
)

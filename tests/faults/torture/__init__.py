"""The long form of "nothing lost, nothing paid twice": real kills, real faults, counted by the sandbox's ledger.

    python -m tests.faults.torture [--minutes N] [--only NAME …]

Every form does the same: it lets a daemon work on a `Scenario`, breaks something, starts it again until all is done,
and compares what lies in the folders and in the ledger with a run that nobody disturbed (`judge.py`).
"""

"""Faults in who may read results, in what is published, and in what the sandbox answers to tests."""

from tests.faults.torture.deliberate.mutation import Mutation

READERS = "tests/acceptance/test_readers.py"

MUTATIONS = (
    Mutation(
        "people",
        "a file in the folder of somebody who is let in is closed to them by its mask",
        "daemon/batchd/edges/disk.py",
        "    if S_IMODE(now) != wanted:\n",
        "    if False:\n",
        f"{READERS}::test_everything_in_her_folder_is_hers_to_read",
    ),
    Mutation(
        "people",
        "whoever is let in may look round above their folder",
        "daemon/batchd/edges/readers.py",
        "_add(folder, _ACCESS, reader, _PASS)",
        "_add(folder, _ACCESS, reader, _READ | _PASS)",
        f"{READERS}::test_nobody_may_look_round",
    ),
    Mutation(
        "people",
        "a dropped file lets in more than its folder does",
        "daemon/batchd/model/request.py",
        "READERS.index(by) >= READERS.index(self.kind)",
        "READERS.index(by) <= READERS.index(self.kind)",
        f"{READERS}::test_a_file_and_a_folder_may_keep_results_closed",
    ),
    Mutation(
        "people",
        "the reasons of a rejection are closed to whoever dropped the file",
        "daemon/batchd/journey/refusing.py",
        'self._permissions.let_read(PurePosixPath(rejected.FOLDER, f"{name}.errors.json"), claim)',
        "pass",
        f"{READERS}::test_she_reads_why_her_file_was_rejected_and_her_receipt",
    ),
    Mutation(
        "people",
        "a receipt is closed to whoever has the ticket",
        "daemon/batchd/journey/refusing.py",
        "                self._permissions.let_read(receipts.path_of(ticket), claim)\n",
        "",
        f"{READERS}::test_she_reads_why_her_file_was_rejected_and_her_receipt",
    ),
    Mutation(
        "people",
        "a format does not say which one it is",
        "daemon/batchd/formats/__init__.py",
        'return {"schema": f"batchd/{name}/{VERSION}"}',
        "return {}",
        "tests/acceptance/test_formats.py::test_what_lies_in_the_outbox_keeps_the_schemas",
    ),
    Mutation(
        "people",
        "a script of a test answers what the API refuses",
        "daemon/batchd/sandbox/script.py",
        "return replace(finding, answer=line.answer) if finding.outcome == _SUCCEEDED else finding",
        "return replace(finding, answer=line.answer, outcome=_SUCCEEDED, refusal=None)",
        "tests/acceptance/test_testing.py::test_what_the_api_refuses_is_refused_whatever_the_script_says",
    ),
)

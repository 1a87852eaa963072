"""Faults in tickets and receipts."""

from tests.faults.torture.deliberate.mutation import Mutation

PROGRAMS = "tests/acceptance/test_programs.py"

MUTATIONS = (
    Mutation(
        "programs",
        "what comes again with a known ticket is a job of its own",
        "daemon/batchd/journey/taking.py",
        "if job is None and ticket is not None and await self._came_before(ticket, claim):",
        "if False:",
        f"{PROGRAMS}::test_what_comes_again_with_the_ticket_of_a_rejection_stays_rejected",
    ),
    Mutation(
        "programs",
        "an accepted file leaves no receipt",
        "daemon/batchd/journey/taking.py",
        "        receipts.accepted(self._places.outbox, ticket, job.name, content_of(claim))\n",
        "        receipts.read(self._places.outbox, ticket)\n",
        f"{PROGRAMS}::test_the_same_ticket_again_and_again_is_one_job_paid_once",
    ),
    Mutation(
        "programs",
        "other bytes with a known ticket vanish",
        "daemon/batchd/journey/taking.py",
        "            if content not in {None, told.digest}:\n",
        "            if content is None and told.digest is None:\n",
        f"{PROGRAMS}::test_other_bytes_with_a_known_ticket_are_rejected_and_its_receipt_stands",
    ),
    Mutation(
        "programs",
        "a name that a rejected file had is a job's that is still to come",
        "daemon/batchd/client/waiting.py",
        "            self._raise_if_rejected(name)\n",
        "",
        f"{PROGRAMS}::test_each_end_has_an_exit_code_of_its_own",
    ),
)

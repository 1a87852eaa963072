"""Faults in what makes an old state safe."""

from tests.faults.torture.deliberate.mutation import Mutation

TEST = "tests/faults/test_restored.py"
ANY_AGE = f"{TEST}::test_a_state_of_any_age_pays_nothing_twice_and_delivers_what_was_paid"

MUTATIONS = (
    Mutation(
        "restored",
        "an old state is started without a word",
        "daemon/batchd/journey/restoring.py",
        "said = objection(here, told, found)",
        "said = None",
        f"{TEST}::test_an_old_state_stops_run_with_the_jobs_that_it_lacks_before_anything_is_sent",
    ),
    Mutation(
        "restored",
        "what was paid in a lost life is sent again",
        "daemon/batchd/journey/packer.py",
        "        await self._restoring.adopt()\n",
        "",
        ANY_AGE,
    ),
    Mutation(
        "restored",
        "something is sent before all that was paid is known",
        "daemon/batchd/journey/packer.py",
        "        if self._restoring.under_way:\n            return None\n",
        "",
        ANY_AGE,
    ),
    Mutation(
        "restored",
        "a claim that became a job in a lost life becomes one again",
        "daemon/batchd/journey/restoring.py",
        "await self._end_claims_of_the_lost_life()",
        "pass",
        f"{TEST}::test_a_job_that_a_lost_life_has_begun_and_not_finished_is_told_and_not_sent_again",
    ),
    Mutation(
        "restored",
        "a file that a lost life has refused is refused again where nothing tells of that life",
        "daemon/batchd/edges/rejected.py",
        "return not (again and",
        "return not (False and",
        f"{TEST}::test_a_file_refused_by_a_life_that_sent_nothing_is_refused_once",
    ),
    Mutation(
        "restored",
        "new requests get the ids of lost ones",
        "daemon/batchd/edges/store/requests.py",
        "FROM facts WHERE name = ?) AS lost",
        "FROM facts WHERE name = ? || '-') AS lost",
        f"{TEST}::test_a_new_job_of_a_restored_state_never_gets_the_answers_of_a_lost_one",
    ),
    Mutation(
        "restored",
        "the outbox is not told of an intent",
        "daemon/batchd/running/life.py",
        "        known = await self._store.facts.number(INTENTS)\n",
        "        known = 0\n",
        f"{TEST}::test_an_old_state_stops_run_with_the_jobs_that_it_lacks_before_anything_is_sent",
    ),
    Mutation(
        "restored",
        "what comes to wait while others are packed is not asked for in the lost life",
        "daemon/batchd/edges/store/queue.py",
        "recovered.sending > (",
        "recovered.sending > 1000 + (",
        "tests/edges/test_recovered.py",
    ),
    Mutation(
        "restored",
        "one job of a lost life stands for all files like its own",
        "daemon/batchd/journey/restoring.py",
        "                used.add(file)\n",
        "",
        f"{TEST}::test_of_two_files_alike_each_is_a_job_of_its_own_or_told",
    ),
    Mutation(
        "restored",
        "a job that a lost life has begun is forgotten",
        "daemon/batchd/journey/restoring.py",
        'if not refused and not (file.parent / "job.json").is_file():',
        "if refused and not refused:",
        f"{TEST}::test_a_job_that_a_lost_life_has_begun_and_not_finished_is_told_and_not_sent_again",
    ),
)

"""Faults in the verbs of a batch, in how a create is looked for, and in what is planned together."""

from tests.faults.torture.deliberate.mutation import Mutation

STORE = "daemon/batchd/edges/store/batches.py"
TRANSITIONS = "daemon/batchd/edges/store/transitions.py"
RECONCILE = "daemon/batchd/decisions/batch/reconcile.py"
VERBS = "tests/edges/test_batch_verbs.py"
LOOKING = "tests/unit/test_reconcile.py"
DOUBT = "tests/faults/test_doubt.py"

MUTATIONS = (
    Mutation(
        "batches",
        "a step leaves what its new state does not carry",
        TRANSITIONS,
        "dict.fromkeys((OPTIONAL - CARRIES[to]) |",
        "dict.fromkeys(frozenset() |",
        VERBS,
    ),
    Mutation(
        "batches",
        "a verb takes a batch from any state",
        TRANSITIONS,
        "if batch.state not in before or not may_follow(batch.state, to):",
        "if not may_follow(batch.state, to):",
        VERBS,
    ),
    Mutation(
        "batches",
        "a batch that was given back is not known to be another's",
        STORE,
        "            await remotes.disprove(db, batch.id, batch.known_id)",
        "            pass",
        f"{VERBS}::test_a_give_back_leaves_nothing_of_the_stranger_and_knows_it",
    ),
    Mutation(
        "batches",
        "a sending is not counted",
        "daemon/batchd/edges/store/requests.py",
        "sendings = sendings + 1",
        "sendings = 1",
        f"{VERBS}::test_a_sending_is_counted_with_each_trip_and_named_by_it",
    ),
    Mutation(
        "batches",
        "time decides although the baseline is in the list",
        RECONCILE,
        "if ordered and place is not None:",
        "if False and place is not None:",
        LOOKING,
    ),
    Mutation(
        "batches",
        "a list in another order is not read to its end",
        RECONCILE,
        "return all(before.created_at >= after.created_at for before, after in pairwise(entries))",
        "return True",
        LOOKING,
    ),
    Mutation(
        "batches",
        "counts that are not told mean that nothing was created",
        RECONCILE,
        "remote for remote in listing if remote.counts.total in {0, intent.count}",
        "remote for remote in listing if remote.counts.total == intent.count",
        LOOKING,
    ),
    Mutation(
        "batches",
        "the baseline is that of the last attempt",
        RECONCILE,
        "return before if before is not None and same else fresh",
        "return fresh",
        LOOKING,
    ),
    Mutation(
        "batches",
        "the second that the Date header cuts off shortens doubt",
        RECONCILE,
        "and waited - GRAIN >= doubt:",
        "and waited >= doubt:",
        LOOKING,
    ),
    Mutation(
        "batches",
        "an answer that names anothers batch is believed",
        "daemon/batchd/journey/sender.py",
        "if odd := contradiction(remote, intent, owner):",
        "if odd := contradiction(remote, intent, owner) and None:",
        f"{DOUBT}::test_an_answer_that_names_anothers_batch_is_doubt_and_that_batch_is_left_alone",
    ),
    Mutation(
        "batches",
        "a create is looked for in another organization",
        "daemon/batchd/journey/finder.py",
        "if reason := elsewhere(",
        "if reason := False and elsewhere(",
        f"{DOUBT}::test_where_the_key_is_of_another_organization_the_create_is_left_to_a_person",
    ),
    Mutation(
        "batches",
        "a late first attempt is not looked for",
        "daemon/batchd/journey/poller.py",
        "if batch.doubts and batch.twin is None",
        "if False and batch.twin is None",
        f"{DOUBT}::test_a_late_first_attempt_is_told_and_its_results_are_taken",
    ),
    Mutation(
        "batches",
        "a create leaves after its deadline",
        "daemon/batchd/edges/api/client.py",
        "if self._clock.now() > deadline:",
        "if False:",
        "tests/edges/test_api.py",
    ),
    Mutation(
        "batches",
        "full batches have one count",
        "daemon/batchd/decisions/batch/plan.py",
        "left = load.shorten(counts, limits.max_bytes - request.size - ROW_OVERHEAD)",
        "left = []",
        "tests/unit/test_plan.py",
    ),
    Mutation(
        "batches",
        "a retry takes the cancellation behind it back",
        "daemon/batchd/edges/store/retries.py",
        "UPDATE jobs SET delivered = FALSE, finished_at = NULL, retry_wanted = FALSE,",
        "UPDATE jobs SET delivered = FALSE, finished_at = NULL, retry_wanted = FALSE, cancel_wanted = FALSE,",
        f"{DOUBT}::test_a_retry_that_is_cancelled_before_it_begins_sends_nothing",
    ),
    Mutation(
        "batches",
        "what was given up before its batch was dissolved is forgotten",
        "daemon/batchd/edges/store/trips.py",
        "WHERE trips.batch = ? AND doubts > 0",
        "WHERE trips.batch = ? AND doubts < 0",
        f"{DOUBT}::test_a_late_batch_of_one_that_was_dissolved_meanwhile_is_told",
    ),
)

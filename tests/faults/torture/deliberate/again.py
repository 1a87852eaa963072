"""Faults in asking anew for what was paid for."""

from tests.faults.torture.deliberate.mutation import Mutation

_ANEW = "tests/faults/test_asked_anew.py"
_REOPENING = "tests/journey/test_reopening.py"

MUTATIONS = (
    Mutation(
        "again",
        "a paid answer leaves the results before it is in superseded.jsonl",
        "daemon/batchd/journey/reopening.py",
        "if gone.paid and lines is not None:",
        "if False:",
        _REOPENING,
    ),
    Mutation(
        "again",
        "a crash between the two files has an answer superseded twice",
        "daemon/batchd/journey/reopening.py",
        "if sha256(line).digest() not in there",
        "if line",
        _REOPENING,
    ),
    Mutation(
        "again",
        "a document that is asked for anew has only the rounds that were left",
        "daemon/batchd/edges/store/requests.py",
        "rounds = coalesce(CAST(asked ->> 2 AS BIGINT), rounds + round)",
        "rounds = rounds + 0",
        f"{_ANEW}::test_a_continued_document_begins_anew_with_all_its_rounds",
    ),
    Mutation(
        "again",
        "all that was paid for is asked anew, whatever was named",
        "daemon/batchd/edges/store/retries.py",
        "custom_id IN (SELECT value FROM json_each(?3))",
        "custom_id != ''",
        f"{_ANEW}::test_only_what_is_named_goes",
    ),
)

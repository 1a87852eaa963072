"""A fault in what is shown of a server's own words."""

from tests.faults.torture.deliberate.mutation import Mutation

MUTATIONS = (
    Mutation(
        "11",
        "what a server says of a call without a prompt is shown as it said it",
        "daemon/batchd/edges/api/troubles.py",
        "    with _asking(outline_of):",
        "    with _asking(lambda error: f': {message_of(error)}'):",
        "tests/edges/test_api.py"
        "::test_what_a_server_says_of_a_call_without_a_prompt_may_hold_another_ones[Tell me of Ophelia]",
    ),
    Mutation(
        "words",
        "a gateway's sentence is told with the words of the prompt in it",
        "daemon/batchd/edges/api/wording.py",
        "any(part in text for part in parts)",
        "False",
        "tests/edges/test_wording.py",
    ),
    Mutation(
        "words",
        "a run of usual words of the prompt is told",
        "daemon/batchd/edges/api/wording.py",
        "        if place in repeated or (",
        "        if (",
        "tests/edges/test_wording.py",
    ),
)

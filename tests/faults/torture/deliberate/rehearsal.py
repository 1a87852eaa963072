"""Faults in what the sandbox answers, and in what is said of a rehearsal."""

from tests.faults.torture.deliberate.mutation import Mutation

REPLY = "tests/unit/test_sandbox_reply.py"
INSTANCE = "tests/unit/test_sandbox_instance.py"
WRITER = "tests/unit/test_sandbox_writer.py"
REHEARSAL = "tests/acceptance/test_rehearsal.py"

MUTATIONS = (
    Mutation(
        "rehearsal",
        "a tool that is forced is not called",
        "daemon/batchd/sandbox/reply.py",
        "    if tool is not None or schema is not None:",
        "    if schema is not None and tool is None:",
        f"{REPLY}::test_a_forced_tool_is_called_with_input_that_keeps_its_schema",
    ),
    Mutation(
        "rehearsal",
        "a schema comes before a directive",
        "daemon/batchd/sandbox/reply.py",
        "    if orders.answer is not None:",
        "    if orders.answer is not None and _schema(params) is None:",
        f"{REPLY}::test_a_directive_comes_before_tool_and_schema",
    ),
    Mutation(
        "rehearsal",
        "data is as large where there is little room",
        "daemon/batchd/sandbox/reply.py",
        "        if len(text) <= room:\n            break",
        "        break",
        f"{REPLY}::test_data_fits_where_there_is_little_room",
    ),
    Mutation(
        "rehearsal",
        "words that a description says do not hold",
        "daemon/batchd/sandbox/combined.py",
        '{**said(schema.get("description")), **schema}',
        "{**schema}",
        f"{INSTANCE}::test_words_that_a_description_says_hold",
    ),
    Mutation(
        "rehearsal",
        "each section's length counts once",
        "daemon/batchd/sandbox/lengths.py",
        "(max(1, sections) if each else 1)",
        "1",
        f"{WRITER}::test_reads_what_a_prompt_asks_for",
    ),
    Mutation(
        "rehearsal",
        "what nobody asked to be long is cut where there is no room",
        "daemon/batchd/sandbox/reply.py",
        "    return texts[-1][:most].rstrip() if not said.written else texts[0]",
        "    return texts[0]",
        f"{REHEARSAL}::test_ordinary_jobs_end_well",
    ),
    Mutation(
        "rehearsal",
        "a job of the sandbox is none",
        "daemon/batchd/edges/store/arrivals.py",
        "EXISTS (SELECT 1 FROM facts WHERE name = 'api' AND value = 'sandbox')",
        "0",
        f"{REHEARSAL}::test_every_figure_of_a_rehearsal_says_that_it_is_one",
    ),
    Mutation(
        "rehearsal",
        "what a rehearsal came to counts for the budget of the day",
        "daemon/batchd/edges/store/purses.py",
        "    WHERE {} AND sandbox = EXISTS (",
        "    WHERE {} AND 1 OR EXISTS (",
        f"{REHEARSAL}::test_what_is_no_rehearsal_says_nothing_of_one_and_each_keeps_its_own_money",
    ),
)

"""Faults in the rule book: what is refused before it costs, and what is not."""

from tests.faults.torture.deliberate.mutation import Mutation

_CASES = "tests/unit/test_rule_book.py::test_they_agree_on_what_people_had"

MUTATIONS = (
    Mutation(
        "rules",
        "keys that a part does not have pass",
        "daemon/batchd/claude/shapes.py",
        "elif self.closed:",
        "elif False:",
        _CASES,
    ),
    Mutation(
        "rules",
        "what only a beta brings passes without it",
        "daemon/batchd/claude/model_check.py",
        "if not any(beta.startswith(use.begin) for beta in asked.betas):",
        "if False:",
        _CASES,
    ),
    Mutation(
        "rules",
        "breakpoints that are not the API's are counted",
        "daemon/batchd/claude/shapes.py",
        'if key == "cache_control" and isinstance(inner, dict):',
        'if isinstance(inner, dict) and "cache_control" in inner:',
        "tests/unit/test_breakpoints.py",
    ),
    Mutation(
        "rules",
        "the order of lives of the cache is not asked",
        "daemon/batchd/claude/breakpoints.py",
        "if long and short:",
        "if False:",
        _CASES,
    ),
    Mutation(
        "rules",
        "a call without its result passes",
        "daemon/batchd/claude/conversation_check.py",
        "yield from _unanswered(left)",
        "yield from _unanswered({})",
        "tests/unit/test_conversation_check.py",
    ),
    Mutation(
        "rules",
        "a picture is believed to be what it says",
        "daemon/batchd/claude/media_check.py",
        "if found == media_type:",
        "if True:",
        "tests/unit/test_media_check.py",
    ),
    Mutation(
        "rules",
        "an open object in the schema of an answer passes",
        "daemon/batchd/claude/output_schema.py",
        "and closed is not False:",
        "and closed is True:",
        "tests/unit/test_output_schema.py",
    ),
    Mutation(
        "rules",
        "a newer version is taken for a misspelling",
        "daemon/batchd/claude/model_names.py",
        "if digits == version]",
        "if True]",
        "tests/unit/test_model_names.py",
    ),
    Mutation(
        "rules",
        "a temperature goes by the current version of the API",
        "daemon/batchd/decisions/jobfile/request.py",
        "version=None if version == CURRENT_VERSION else version,",
        "version=None,",
        "tests/acceptance/test_versions.py",
    ),
    Mutation(
        "rules",
        "requests of two versions travel together",
        "daemon/batchd/decisions/batch/plan.py",
        "trip = (request.betas, request.version, long, request.cohort)",
        "trip = (request.betas, None, long, request.cohort)",
        "tests/unit/test_plan.py",
    ),
    Mutation(
        "rules",
        "each line of one wrong encoding is told",
        "daemon/batchd/decisions/jobfile/reader.py",
        "if kind in SUFFIXES and (wrong := encoding(_head(source))):",
        "if False and (wrong := encoding(_head(source))):",
        "tests/acceptance/test_cases.py::test_a_file_of_the_wrong_form_has_one_mistake",
    ),
    Mutation(
        "rules",
        "the copies of sync tools' conflicts are taken",
        "daemon/batchd/edges/inbox.py",
        "return _IGNORED.fullmatch(name) is not None or conflict_copy(name)",
        "return _IGNORED.fullmatch(name) is not None",
        "tests/edges/test_inbox.py::test_what_is_not_meant_for_us_is_ignored",
    ),
)

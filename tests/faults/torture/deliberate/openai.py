"""Faults in what is made of another vendor's lines, and of names that stand for models."""

from tests.faults.torture.deliberate.mutation import Mutation

LINES = "tests/unit/test_openai_lines.py"

MUTATIONS = (
    Mutation(
        "openai",
        "what is dropped is told of each line",
        "daemon/batchd/decisions/jobfile/openai_file.py",
        "            kinds[flaw].lines += 1",
        '            kinds[Flaw(f"{flaw.field}{number}", flaw.message)] = _Kind(number)',
        f"{LINES}::test_five_thousand_lines_have_one_caution_a_kind",
    ),
    Mutation(
        "openai",
        "a model of theirs passes for one that is merely unknown",
        "daemon/batchd/decisions/jobfile/openai_file.py",
        '        flaws = (*done.flaws, *self._of_model(done.params.get("model")))',
        "        flaws = tuple(done.flaws)",
        f"{LINES}::test_a_model_of_theirs_without_a_name_for_it_is_one_mistake_that_says_what_to_set",
    ),
    Mutation(
        "openai",
        "lines of both forms are taken together",
        "daemon/batchd/decisions/jobfile/openai_file.py",
        'return _MIXED if theirs is not self._theirs else ""',
        'return ""',
        f"{LINES}::test_a_line_of_both_forms_and_one_of_the_other_are_errors_at_their_lines",
    ),
    Mutation(
        "openai",
        "several answers to one request are one",
        "daemon/batchd/decisions/jobfile/openai_line.py",
        "        elif value not in _HARMLESS.get(key, (None,)):",
        "        elif False:",
        f"{LINES}::test_what_changes_the_meaning_is_refused_at_its_place",
    ),
    Mutation(
        "openai",
        "a temperature of 0 is left out in silence",
        "daemon/batchd/decisions/jobfile/openai_line.py",
        "            if value is not None and value is not False:",
        "            if value:",
        f"{LINES}::test_what_changes_no_meaning_is_dropped_and_told",
    ),
    Mutation(
        "openai",
        "a name is sent as it is",
        "daemon/batchd/decisions/jobfile/draft.py",
        '        draft.params["model"] = model\n',
        "",
        f"{LINES}::test_names_stand_for_models_everywhere",
    ),
)

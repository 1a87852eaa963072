"""Faults in jobs of several steps: what is asked next, what it may cost, and what a crash leaves of it."""

from tests.faults.torture.deliberate.mutation import Mutation

_JOURNEY = "tests/journey/test_steps.py"
_UNIT = "tests/unit/test_steps.py"

MUTATIONS = (
    Mutation(
        "steps",
        "a request that no step asks is added to a book",
        "daemon/batchd/decisions/bundle/replacements.py",
        "        if self.of_steps:",
        "        if False:",
        f"{_JOURNEY}::test_what_is_no_request_of_a_step_is_not_added",
    ),
    Mutation(
        "steps",
        "what is put right opens no step again",
        "daemon/batchd/edges/store/amendments.py",
        "steps_left = max(steps_left, coalesce(json_array_length(steps, '$.steps') - 1 - (",
        "steps_left = max(steps_left, 0 * coalesce(json_array_length(steps, '$.steps') - 1 - (",
        f"{_JOURNEY}::test_an_outline_that_is_put_right_is_followed_by_its_chapters",
    ),
    Mutation(
        "steps",
        "what is not complete holds nothing",
        "daemon/batchd/decisions/bundle/steps/advance.py",
        "        if number >= passed:",
        "        if False:",
        _UNIT,
    ),
    Mutation(
        "steps",
        "one after the other does not wait for the one before",
        "daemon/batchd/decisions/bundle/steps/advance.py",
        "    if step.previous and not begun.whole and at >= passed:",
        "    if False:",
        _UNIT,
    ),
    Mutation(
        "steps",
        "entries that were asked are asked again",
        "daemon/batchd/journey/stepping.py",
        "if _id_of(step, number) not in known}",
        "if number}",
        f"{_JOURNEY}::test_a_chapter_sees_the_outline_and_the_one_before_it",
    ),
    Mutation(
        "steps",
        "a list of any length is begun, whatever the budget",
        "daemon/batchd/journey/stepping.py",
        "if step.each and not begun and (said := await self._too_dear(job, steps, at, made)):",
        "if False:",
        f"{_JOURNEY}::test_a_list_that_the_budget_has_no_room_for_is_not_begun",
    ),
    Mutation(
        "steps",
        "of what steps may cost nothing is reserved",
        "daemon/batchd/decisions/money/budget.py",
        "        later = steps.get(request.job, NOTHING_LATER)",
        "        later = NOTHING_LATER",
        f"{_JOURNEY}::test_the_whole_is_reserved_with_the_first_request",
    ),
    Mutation(
        "steps",
        "a job is finished before its last step",
        "daemon/batchd/edges/store/jobs.py",
        " AND (steps_left = 0 OR cancel_wanted)",
        "",
        f"{_JOURNEY}::test_an_outline_its_chapters_and_the_book",
    ),
    Mutation(
        "steps",
        "requests are stored however the job stands meanwhile",
        "daemon/batchd/edges/store/steps.py",
        "id = :id AND steps_left = :left_before AND total = :total_before AND step_hold IS NULL",
        "id = :id AND coalesce(:left_before, :total_before, 1)",
        "tests/edges/test_steps.py",
    ),
    Mutation(
        "steps",
        "a restored state sends what a lost life may have sent",
        "daemon/batchd/journey/restoring.py",
        "if held := await self._store.recovered.hold_steps(_STEPS_UNKNOWN):",
        "if held := 0:",
        f"{_JOURNEY}::test_a_restored_state_asks_no_chapter_twice_unless_a_person_says_so",
    ),
    Mutation(
        "steps",
        "a join leads out of its folder",
        "daemon/batchd/decisions/bundle/steps/reader.py",
        "if not isinstance(write, str) or not _FILE.match(write):",
        "if not isinstance(write, str):",
        _UNIT,
    ),
    Mutation(
        "steps",
        "a list needs no budget",
        "daemon/batchd/decisions/bundle/steps/reader.py",
        "    if any(step.each for step in found.steps) and prompt.budget is None:",
        "    if False:",
        _UNIT,
    ),
    Mutation(
        "steps",
        "an empty list is passed over in silence",
        "daemon/batchd/journey/stepping.py",
        '"" if made.entries else empty(step)',
        '""',
        f"{_JOURNEY}::test_an_empty_list_leaves_the_join_empty_and_says_so",
    ),
)

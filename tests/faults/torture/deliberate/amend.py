"""Faults in putting jobs right, and in telling the same file again from another."""

from tests.faults.torture.deliberate.mutation import Mutation

_AMENDING = "tests/journey/test_amending.py"
_DUPLICATES = "tests/journey/test_duplicates.py"

MUTATIONS = (
    Mutation(
        "amend",
        "what is complete is paid for again though nobody said so",
        "daemon/batchd/decisions/bundle/replacements.py",
        "if found and found.verdict is Verdict.COMPLETE and not self.replace:",
        "if False:",
        f"{_AMENDING}::test_all_errors_are_told_at_once_and_nothing_is_sent",
    ),
    Mutation(
        "amend",
        "anybody may amend a job",
        "daemon/batchd/journey/amending.py",
        "if claim.uid not in {0, os.geteuid(), job.uid}:",
        "if False:",
        f"{_AMENDING}::test_only_who_dropped_a_job_may_amend_it",
    ),
    Mutation(
        "amend",
        "a paid answer that is replaced is lost",
        "daemon/batchd/edges/store/amendments.py",
        'paid = frozenset(row["custom_id"] for row in rows if row["paid"])',
        "paid = frozenset[str]()",
        f"{_AMENDING}::test_new_rows_stand_behind_and_complete_ones_are_paid_again_where_that_is_said",
    ),
    Mutation(
        "amend",
        "a row that was put right stands at the end of the table",
        "daemon/batchd/decisions/bundle/replacements.py",
        "return Replacement(entry, left_out=place, place=place if self.of_rows else None, record=record)",
        "return Replacement(entry, left_out=place, place=BEHIND + place, record=record)",
        f"{_AMENDING}::test_rows_that_were_left_out_make_the_table_whole",
    ),
    Mutation(
        "amend",
        "the params of an amendment are those that lay there before",
        "daemon/batchd/edges/store/amendments.py",
        '"offset": begin + request.offset,',
        '"offset": request.offset,',
        f"{_AMENDING}::test_rows_that_were_left_out_make_the_table_whole",
    ),
    Mutation(
        "duplicates",
        "the next result lets the same file go",
        "daemon/batchd/edges/store/deliveries.py",
        " WHERE hold IS NOT NULL AND twin IS NULL",
        " WHERE hold IS NOT NULL",
        f"{_DUPLICATES}::test_saved_twice_is_one_job_and_one_question",
    ),
    Mutation(
        "duplicates",
        "of a bundle only the prompt counts",
        "daemon/batchd/edges/claims/digest.py",
        "_add(found, bundle.pieces(path))",
        "_add(found, ())",
        f"{_DUPLICATES}::test_of_a_bundle_all_files_count",
    ),
    Mutation(
        "duplicates",
        "what has failed keeps its file from coming again",
        "daemon/batchd/decisions/twin.py",
        "found = [each for each in before if not each.came_to_nothing]",
        "found = list(before)",
        f"{_DUPLICATES}::test_what_failed_or_was_cancelled_may_come_again",
    ),
)

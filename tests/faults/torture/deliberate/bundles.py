"""Faults in how folders NAME.job are taken, in what goes along with a prompt, and in what is left out."""

from tests.faults.torture.deliberate.mutation import Mutation

TREES = "tests/edges/test_trees.py"
BUNDLE = "tests/unit/test_bundle.py"
JOURNEY = "tests/journey/test_bundles.py"
SKIP = "tests/journey/test_on_error.py"

MUTATIONS = (
    Mutation(
        "bundles",
        "a bundle is taken while it is still written",
        "daemon/batchd/edges/inbox.py",
        "return self._settle if candidate.tree.renamed else self._bundle_settle",
        "return self._settle",
        f"{JOURNEY}::test_bundles_settle_by_their_own_time",
    ),
    Mutation(
        "bundles",
        "a bundle without a prompt is taken as others are",
        "daemon/batchd/edges/inbox.py",
        "return PROMPT_PATIENCE",
        "return self._bundle_settle",
        f"{JOURNEY}::test_bundles_settle_by_their_own_time",
    ),
    Mutation(
        "bundles",
        "what changes deep within a bundle is no change",
        "daemon/batchd/edges/bundles.py",
        "            state.update(os.fsencode(told))",
        '            state.update(os.fsencode(told) if "/" not in each.path else b"")',
        f"{JOURNEY}::test_any_change_within_it_is_a_change",
    ),
    Mutation(
        "bundles",
        "links within a bundle are followed",
        "daemon/batchd/edges/trees.py",
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW |",
        "os.O_RDONLY | os.O_DIRECTORY |",
        f"{TREES}::test_nothing_but_a_file_below_is_opened",
    ),
    Mutation(
        "bundles",
        "what is no file within a bundle is passed over",
        "daemon/batchd/edges/bundles.py",
        'return f"only regular files are taken; this is {kind}"',
        'return ""',
        f"{TREES}::test_links_pipes_and_sockets_are_copied_as_what_they_are",
    ),
    Mutation(
        "bundles",
        "the original of a copied bundle stays under its name",
        "daemon/batchd/edges/claims/crossing.py",
        "        os.rename(name, _hidden(folder.name), src_dir_fd=source, dst_dir_fd=source)\n",
        "",
        f"{TREES}::test_a_bundle_of_another_file_system_is_copied_and_gone_at_once",
    ),
    Mutation(
        "bundles",
        "a bundle that changed while it was copied is taken half",
        "daemon/batchd/edges/claims/crossing.py",
        "if bundles.look_at(source, name).state.hex() != before:",
        "if False:",
        f"{TREES}::test_a_bundle_that_changes_while_it_is_copied_stays",
    ),
    Mutation(
        "bundles",
        "a cell of a table is a pattern",
        "daemon/batchd/decisions/bundle/composing.py",
        "escaped(value) if isinstance(value, str) else value",
        "value",
        f"{BUNDLE}::test_a_cell_leads_nowhere_else_and_is_no_pattern",
    ),
    Mutation(
        "bundles",
        "what a row says can show a picture",
        "daemon/batchd/decisions/bundle/composing.py",
        "if any(_BEGIN in str(value) for value in record.values.values()) and _BEGIN in text:",
        "if False:",
        f"{BUNDLE}::test_what_a_row_says_shows_no_picture",
    ),
    Mutation(
        "bundles",
        "a page tree is believed without a look at a page",
        "daemon/batchd/edges/pdf/worker.py",
        "there = pages > most or all(_is_there(document, number) for number in {0, pages - 1})",
        "there = True",
        "tests/edges/test_pdf.py::test_a_page_tree_that_holds_itself_claims_pages_in_vain",
    ),
    Mutation(
        "bundles",
        "a file that opens without its owner's password passes as open",
        "daemon/batchd/edges/pdf/worker.py",
        "if pdfium.FPDF_GetSecurityHandlerRevision(document) != _NO_HANDLER:",
        "if False:",
        "tests/edges/test_pdf.py::test_an_encrypted_file_is_refused_whether_or_not_it_opens",
    ),
    Mutation(
        "bundles",
        "the reader of PDFs inherits the key",
        "daemon/batchd/edges/pdf/reader.py",
        "                env={},\n",
        "",
        "tests/edges/test_pdf.py::test_the_process_has_no_key_no_room_and_ends_with_its_reader",
    ),
    Mutation(
        "bundles",
        "a mistake in the settings leaves every row out",
        "daemon/batchd/decisions/jobfile/request.py",
        "isinstance(each, Problem) and not each.field.startswith(_SHARED)",
        "isinstance(each, Problem)",
        f"{SKIP}::test_a_mistake_that_rows_share_is_told_once_and_refuses_them_all",
    ),
    Mutation(
        "bundles",
        "a job of which rows were left out is done",
        "daemon/batchd/decisions/report.py",
        'return "partial" if job.rejected or job.steps_note else "done"',
        'return "done"',
        f"{SKIP}::test_five_thousand_rows_and_three_bad_ones",
    ),
    Mutation(
        "bundles",
        "of two rows of one id the answer stands beside the first",
        "daemon/batchd/decisions/rows/answered.py",
        "if left is not None and record.row == left.row:",
        "if False:",
        f"{SKIP}::test_of_two_rows_of_one_id_the_answer_stands_beside_the_one_that_was_asked",
    ),
)

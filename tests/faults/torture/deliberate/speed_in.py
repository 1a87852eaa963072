"""Faults in what makes the way in fast: a template recognizes what the whole check would refuse."""

from tests.faults.torture.deliberate.mutation import Mutation

_ROOM = "daemon/batchd/decisions/jobfile/templates.py"
_BULK = "daemon/batchd/journey/bulk_finishing.py"
_NAMES = "tests/journey/test_names_together.py"
_TESTS = "tests/properties/test_template_properties.py"

MUTATIONS = (
    Mutation(
        "speed in",
        "what one file is cautioned of, the next one like it is not",
        "daemon/batchd/decisions/jobfile/request.py",
        "return not draft.cautions or self._templates is not self._rules.known",
        "return True",
        f"{_TESTS}::test_what_one_file_is_cautioned_of_the_next_one_is_too",
    ),
    Mutation(
        "speed in",
        "what holds for the requests of one file alone is taken for all that are read with it",
        "daemon/batchd/decisions/jobfile/request.py",
        "            self._templates = Templates()\n            for flaw",
        "            for flaw",
        f"{_TESTS}::test_files_that_share_their_templates_are_told_what_each_would_be_alone",
    ),
    Mutation(
        "speed in",
        "a key that appears twice passes where the line is like another",
        _ROOM,
        "if template is None or template.quotes != found.quotes:",
        "if template is None:",
        f"{_TESTS}::test_what_is_wrong_is_not_recognized",
    ),
    Mutation(
        "speed in",
        "quotes written without one hide a key that appears twice",
        _ROOM,
        'if len(line) > _LONGEST or (b"\\\\" in line and _UNSEEN in line):',
        "if len(line) > _LONGEST:",
        f"{_TESTS}::test_what_is_wrong_is_not_recognized",
    ),
    Mutation(
        "speed in",
        "a text that says nothing passes where the line is like another",
        _ROOM,
        "if not text or text.isspace():",
        "if False:",
        f"{_TESTS}::test_what_is_wrong_is_not_recognized",
    ),
    Mutation(
        "speed in",
        "all requests of a template cost what the first of them does",
        "daemon/batchd/decisions/money/worst_case.py",
        "prompt = Prompt(frame.tokens + size, *frame[1:])",
        "prompt = Prompt(frame.tokens + (0 if entry.template else size), *frame[1:])",
        f"{_TESTS}::test_what_is_recognized_is_bounded_as_any_other",
    ),
    Mutation(
        "speed in",
        "two files get one name while neither is stored yet",
        "daemon/batchd/journey/job_names.py",
        "            if name.casefold() in promised or name.casefold() in self._promised:\n",
        "            if False:\n",
        f"{_NAMES}::test_each_gets_its_own",
    ),
    Mutation(
        "speed in",
        "two files of a go get one name",
        "daemon/batchd/journey/job_names.py",
        "                    self._promised.add(name.casefold())\n",
        "",
        f"{_NAMES}::test_each_of_a_go_gets_its_own",
    ),
    Mutation(
        "speed in",
        "small files are acknowledged before they are durable",
        "daemon/batchd/journey/bulk_accepting.py",
        "claims.secure([each.claim for each in found], durable, self._places.claims, self._places.inbox)",
        "pass",
        f"{_NAMES}::test_small_files_share_their_syncs_and_their_commit",
    ),
    Mutation(
        "speed in",
        "a claim is removed before the outbox holds its file for good",
        "daemon/batchd/journey/bulk_accepting.py",
        "        durable.sync()\n        for claim in moved:",
        "        for claim in moved:",
        f"{_NAMES}::test_small_files_share_their_syncs_and_their_commit",
    ),
    Mutation(
        "speed in",
        "jobs that are finished together are called finished before that is durable",
        _BULK,
        "                durable.sync()\n        return written",
        "                pass\n        return written",
        "tests/journey/test_bulk_finishing.py",
    ),
    Mutation(
        "speed in",
        "a job with a request that failed is finished together with others, without its failures",
        _BULK,
        "if not job.rejected and tallies[job.id].verdicts == {Verdict.COMPLETE: job.total}",
        "",
        "tests/journey/test_bulk_finishing.py",
    ),
    Mutation(
        "speed in",
        "a job that one folder keeps from its end is taken for finished",
        _BULK,
        "    except OSError:\n        return False\n",
        "    except OSError:\n        return True\n",
        "tests/journey/test_bulk_finishing.py",
    ),
    Mutation(
        "speed in",
        "what was noted to be durable is not, where it is synced one by one",
        "daemon/batchd/edges/durable.py",
        "            all_done([partial(_sync_below, root, inside) for inside in self._apart(root, as_one.get(root))])",
        "            pass",
        "tests/edges/test_durable.py",
    ),
)

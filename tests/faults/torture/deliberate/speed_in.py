"""Faults in what makes the way in fast: a template recognizes what the whole check would refuse."""

from tests.faults.torture.deliberate.mutation import Mutation

_ROOM = "daemon/batchd/decisions/jobfile/templates.py"
_TESTS = "tests/properties/test_template_properties.py"

MUTATIONS = (
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
        "daemon/batchd/journey/intake.py",
        "name.casefold() in self._promised or from_thread",
        "from_thread",
        "tests/journey/test_names_together.py",
    ),
)

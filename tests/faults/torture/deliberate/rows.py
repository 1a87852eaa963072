"""Faults in what becomes of rows: instructions, templates, tables, schemas, and the table with the answers."""

from tests.faults.torture.deliberate.mutation import Mutation

ROWS = "tests/unit/test_rows.py"
TABLE = "tests/unit/test_table.py"
TEMPLATE = "tests/unit/test_template.py"
COLUMNS = "tests/unit/test_columns.py"
CLEANING = "tests/unit/test_schema_cleaning.py"
STANDING = "tests/journey/test_instructions.py"

MUTATIONS = (
    Mutation(
        "rows",
        "any node of the template language is taken",
        "daemon/batchd/decisions/rows/template.py",
        "if type(node).__name__ not in _NODES:",
        "if False:",
        TEMPLATE,
    ),
    Mutation(
        "rows",
        "a dear template is compiled",
        "daemon/batchd/decisions/rows/template.py",
        "if len(_PLACE.findall(text)) > MOST_PLACES:",
        "if False:",
        TEMPLATE,
    ),
    Mutation(
        "rows",
        "an empty line is not counted as a spreadsheet does",
        "daemon/batchd/decisions/rows/table.py",
        "        self.number += 1\n        return next(self._csv, None)",
        "        found = next(self._csv, None)\n        self.number += bool(found)\n        return found",
        TABLE,
    ),
    Mutation(
        "rows",
        "a NUL in a cell passes",
        "daemon/batchd/decisions/rows/table.py",
        'if "\\0" in cell:',
        "if False:",
        TABLE,
    ),
    Mutation(
        "rows",
        "an answer is a formula",
        "daemon/batchd/decisions/rows/columns.py",
        'if cell.startswith(("=", "@", "\\t", "\\r")):',
        'if cell.startswith(("@", "\\t", "\\r")):',
        COLUMNS,
    ),
    Mutation(
        "rows",
        "a schema goes out with bounds that the API refuses",
        "daemon/batchd/claude/schema_cleaning.py",
        "            if _is_refused(key, value):",
        "            if False:",
        CLEANING,
    ),
    Mutation(
        "rows",
        "a file widens the budget of its folder",
        "daemon/batchd/decisions/jobfile/request.py",
        'settings["budget"] = min(most, wanted)',
        'settings["budget"] = max(most, wanted)',
        ROWS,
    ),
    Mutation(
        "rows",
        "rows get as many tokens as documents do",
        "daemon/batchd/decisions/rows/reader.py",
        '{"max_tokens": rules.rows_max_tokens,',
        '{"max_tokens": rules.max_tokens,',
        ROWS,
    ),
    Mutation(
        "rows",
        "a stranger gives instructions",
        "daemon/batchd/edges/instructions.py",
        "if stat.st_uid not in {owner, ROOT, os.geteuid()}:",
        "if False:",
        STANDING,
    ),
    Mutation(
        "rows",
        "instructions that vanish for a moment count for nothing at once",
        "daemon/batchd/journey/instructions.py",
        "if now - self._known[folder].seen >= GONE:",
        "if True:",
        STANDING,
    ),
    Mutation(
        "rows",
        "instructions are followed while they are written",
        "daemon/batchd/journey/instructions.py",
        "if now >= whole_at else None",
        "if True else None",
        STANDING,
    ),
    Mutation(
        "rows",
        "a row that was left out takes the answer of the next",
        "daemon/batchd/decisions/rows/answered.py",
        "report is not None and report.custom_id == record.custom_id:",
        "report is not None:",
        "tests/unit/test_answered.py",
    ),
    Mutation(
        "rows",
        "each numbered row of a table is remembered by itself",
        "daemon/batchd/decisions/jobfile/naming.py",
        "self._last and number == self._last[-1] + 1",
        "False",
        "tests/unit/test_naming.py",
    ),
    Mutation(
        "rows",
        "a queue of an earlier version is not told",
        "daemon/batchd/cli/doctor_queues.py",
        'any((job / "job.json").is_file() for job in path.iterdir())',
        "False",
        "tests/edges/test_doctor.py",
    ),
    Mutation(
        "rows",
        "a row of many lines fills the memory",
        "daemon/batchd/decisions/rows/table.py",
        "        self._check(self._row)\n",
        "",
        "tests/faults/test_hostile_rows.py",
    ),
    Mutation(
        "rows",
        "a chain of filters is parsed, however long",
        "daemon/batchd/decisions/rows/template.py",
        "if count > MOST_TOKENS:",
        "if False:",
        "tests/faults/test_hostile_rows.py",
    ),
    Mutation(
        "rows",
        "what is to be said of the settings is said again of the rows",
        "daemon/batchd/decisions/rows/prompt_file.py",
        "if not (isinstance(each, Caution) and self.has_told(each))",
        "if each",
        "tests/journey/test_prompt_on_the_wire.py",
    ),
)

"""Faults in making a service of it."""

from tests.faults.torture.deliberate.mutation import Mutation

_INSTALL = "tests/acceptance/test_service_install.py"
_PLAN = "tests/unit/test_service_plan.py"

MUTATIONS = (
    Mutation(
        "got",
        "a unit that somebody changed is overwritten",
        "daemon/batchd/edges/installing.py",
        'return Standing.OUTDATED if first == f"{_MARK}{_digest(rest)}" else Standing.CHANGED',
        "return Standing.OUTDATED",
        f"{_INSTALL}::test_what_is_there_already_stays_and_what_somebody_changed_is_written_beside",
    ),
    Mutation(
        "got",
        "what another release wrote is taken for somebody's change",
        "daemon/batchd/edges/installing.py",
        'return Standing.OUTDATED if first == f"{_MARK}{_digest(rest)}" else Standing.CHANGED',
        "return Standing.CHANGED",
        f"{_INSTALL}::test_what_another_release_wrote_is_brought_up_to_date",
    ),
    Mutation(
        "got",
        "a masked unit is unmasked",
        "daemon/batchd/edges/installing.py",
        "if path.is_symlink():  # as of `systemctl mask`\n            return Standing.CHANGED",
        "if path.is_symlink():\n            return Standing.ABSENT",
        f"{_INSTALL}::test_a_masked_unit_is_left_alone",
    ),
    Mutation(
        "got",
        "the files have the rights that the umask leaves",
        "daemon/batchd/edges/installing.py",
        "os.fchmod(descriptor, mode)",
        "pass",
        f"{_INSTALL}::test_what_is_there_already_stays_and_what_somebody_changed_is_written_beside",
    ),
    Mutation(
        "got",
        "the unit starts what lies in /opt, whatever was called",
        "daemon/batchd/cli/service_plan.py",
        'return _NAMED.sub(lambda found: f"{found[1]}{words}", unit)',
        "return unit",
        _PLAN,
    ),
    Mutation(
        "got",
        "a percent sign of a path is read as a specifier",
        "daemon/batchd/cli/service_plan.py",
        '.replace("%", "%%")',
        "",
        _PLAN,
    ),
    Mutation(
        "got",
        "a unit is removed while it is enabled",
        "daemon/batchd/cli/service.py",
        "    if enabled:\n        user =",
        "    if False:\n        user =",
        f"{_INSTALL}::test_uninstalling_takes_the_files_that_were_written_and_no_other",
    ),
    Mutation(
        "got",
        "a dry run writes",
        "daemon/batchd/cli/service.py",
        "    if dry_run:\n        for file in files:",
        "    if False:\n        for file in files:",
        f"{_INSTALL}::test_a_dry_run_prints_each_file_and_the_next_commands_and_writes_nothing",
    ),
    Mutation(
        "got",
        "a command that the service cannot see is installed",
        "daemon/batchd/cli/service_plan.py",
        'HIDDEN: Final = ("/home", "/root", "/run/user")',
        "HIDDEN: Final = ()",
        _PLAN,
    ),
)

"""Faults in what keeps the trouble of one thing from all others, and in what a database is known by."""

from tests.faults.torture.deliberate.mutation import Mutation

PLANTED = "tests/acceptance/test_planted_defects.py::test_a_defect_that_one_job_meets_parks_that_job_alone"
UPGRADES = "tests/faults/test_upgrades.py"
SPOILED = "tests/faults/test_spoiled_places.py"
SURROUNDINGS = "tests/acceptance/test_surroundings.py"

MUTATIONS = (
    Mutation(
        "14",
        "a defect that one thing meets ends the daemon",
        "daemon/batchd/running/retrying.py",
        "            return Wait(str(Defect.of(bug)), PARKED, defect=True)",
        "            raise bug",
        f"{PLANTED}[finishing]",
    ),
    Mutation(
        "14",
        "a defect that one job meets keeps the results of its neighbours",
        "daemon/batchd/journey/shares.py",
        "    except Exception as bug:",
        "    except ZeroDivisionError as bug:",
        f"{PLANTED}[collector]",
    ),
    Mutation(
        "14",
        "the packer does not look whose defect it is",
        "daemon/batchd/journey/packer.py",
        "        for job in await self._store.jobs.waiting():\n",
        "        for job in (await self._store.jobs.waiting())[:0]:\n",
        f"{PLANTED}[packer]",
    ),
    Mutation(
        "14",
        "what waits is not written down",
        "daemon/batchd/running/retrying.py",
        "                await self._store.troubles.tell(trouble)",
        "                pass",
        f"{PLANTED}[finishing]",
    ),
    Mutation(
        "14",
        "a defect is told by a frame that is not ours",
        "daemon/batchd/errors.py",
        "    if ours:",
        "    if not ours:",
        f"{PLANTED}[finishing]",
    ),
    Mutation(
        "14",
        "params that are gone keep a batch for ever",
        "daemon/batchd/composition.py",
        "on.keyless.before(readiness.before(sender.submit))",
        "on.keyless.before(sender.submit)",
        SPOILED,
    ),
    Mutation(
        "14",
        "what lies among the claims by mistake keeps the daemon from starting",
        "daemon/batchd/edges/claims/taking.py",
        "        except (OSError, ValueError) as error:",
        "        except ZeroDivisionError as error:",
        SPOILED,
    ),
    Mutation(
        "14",
        "a retry dies of a line that it cannot read",
        "daemon/batchd/journey/reopening.py",
        "        except Garbled:",
        "        except ZeroDivisionError:",
        "tests/journey/test_reopening.py",
    ),
    Mutation(
        "14",
        "a name has an end of numbers",
        "daemon/batchd/text/safepath.py",
        "        free *= 2",
        "        free += 1",
        "tests/unit/test_safepath.py",
    ),
    Mutation(
        "12",
        "a stop waits until a file is read",
        "daemon/batchd/edges/disk.py",
        "        from_thread.check_cancelled()",
        "        pass",
        "tests/edges/test_durable.py::test_what_a_thread_does_ends_once_nobody_waits_for_it",
    ),
    Mutation(
        "14",
        "a database is known by its number alone",
        "daemon/batchd/edges/store/sqlite/schema.py",
        "    if digest != expected(version):",
        "    if False:",
        UPGRADES,
    ),
    Mutation(
        "14",
        "a command migrates",
        "daemon/batchd/edges/store/__init__.py",
        "migrate=False",
        "migrate=True",
        UPGRADES,
    ),
    Mutation(
        "14",
        "what an argument holds reaches the terminal",
        "daemon/batchd/cli/exit_codes.py",
        "{printable(line)}",
        "{line}",
        SURROUNDINGS,
    ),
    Mutation(
        "14",
        "a defect that an endless loop meets ends the daemon",
        "daemon/batchd/dispatcher/task_tree.py",
        "tasks.start_soon(self._retrying.until_done, Thing(Work.LOOK, name, name), work)",
        "tasks.start_soon(work)",
        "tests/faults/test_loops.py",
    ),
    Mutation(
        "14",
        "two threads look through a type at once, and the process dies",
        "daemon/batchd/text/typed.py",
        "        with _LOOKING:",
        "        if True:",
        "tests/unit/test_typed.py",
    ),
    Mutation(
        "isolation",
        "a create that meets a defect leaves those of its count asleep",
        "daemon/batchd/running/counts.py",
        "        except BaseException:\n            self.resolved(batch)\n            raise\n",
        "",
        "tests/unit/test_counts.py",
    ),
)

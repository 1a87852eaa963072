"""Faults in what the API says and does not say: its errors, its results, its account."""

from tests.faults.torture.deliberate.mutation import Mutation

_API = "tests/edges/test_api.py::"
_MISSING = "tests/faults/test_missing_results.py::"

MUTATIONS = (
    Mutation(
        "api",
        "results are held as soon as some readings agree, however short a time it has been",
        "daemon/batchd/decisions/batch/shortfall.py",
        "return self.readings >= READINGS and now - self.since >= HOUR",
        "return self.readings >= READINGS",
        "tests/unit/test_shortfall.py",
    ),
    Mutation(
        "api",
        "a reading that brought more does not begin the hour anew",
        "daemon/batchd/decisions/batch/shortfall.py",
        "if before is None or before.missing != missing:",
        "if before is None:",
        "tests/unit/test_shortfall.py",
    ),
    Mutation(
        "api",
        "a batch is settled by what its results lack",
        "daemon/batchd/journey/collector.py",
        "if await self._store.deliveries.undelivered(batch.id):",
        "if False:",
        _MISSING + "test_a_strangers_batch_without_lines_settles_nothing_of_ours",
    ),
    Mutation(
        "api",
        "a restart begins the hour of missing results anew",
        "daemon/batchd/journey/collector.py",
        "if before is None and batch.lacking is not None:",
        "if False:",
        _MISSING + "test_a_restart_does_not_begin_the_hour_anew",
    ),
    Mutation(
        "api",
        "whole lines that came before a cut are forgotten",
        "daemon/batchd/journey/collector.py",
        "    if group:\n        yield group\n    if cut is not None:",
        "    if group and cut is None:\n        yield group\n    if cut is not None:",
        _MISSING + "test_what_came_before_a_cut_is_delivered_and_status_says_how_far_it_got",
    ),
    Mutation(
        "api",
        "what comes behind a cut is taken for the rest of the same file unseen",
        "daemon/batchd/edges/api/download.py",
        "if piece[:known] != self._again[:known]:",
        "if False:",
        _API + "test_another_file_behind_a_cut_is_not_taken_for_the_rest_of_the_first",
    ),
    Mutation(
        "api",
        "an empty account is a wrong request",
        "daemon/batchd/claude/account.py",
        r"\bcredit balance is too low\b",
        r"\bcredit balance is too high\b",
        _API + "test_trouble_with_the_account_refuses_nobody",
    ),
    Mutation(
        "api",
        "an error code of the account is not looked at",
        "daemon/batchd/claude/account.py",
        "if code is not None and code in _CODES:",
        "if False:",
        _API + "test_trouble_with_the_account_refuses_nobody",
    ),
    Mutation(
        "api",
        "this machine is asked through a proxy",
        "daemon/batchd/edges/api/connection.py",
        "if is_loopback(url.host) or proxy_bypass(url.host):",
        "if proxy_bypass(url.host):",
        _API + "test_this_machine_is_not_behind_a_proxy",
    ),
    Mutation(
        "api",
        "a read on which a server hung up is not asked again at once",
        "daemon/batchd/edges/api/client.py",
        "        except Disconnected:\n",
        "        except ZeroDivisionError:\n",
        _API + "test_a_server_that_hangs_up_on_a_read_is_asked_once_more_at_once",
    ),
    Mutation(
        "api",
        "the SDK is imported although a key is at hand",
        "daemon/batchd/edges/api/credentials.py",
        "    if known := key_at_hand(key):",
        "    import anthropic\n\n    if known := key_at_hand(key):",
        "tests/edges/test_credentials.py::test_with_a_key_a_whole_run_does_without_the_sdk",
    ),
    Mutation(
        "api",
        "an answer that is no success counts as one",
        "daemon/batchd/edges/api/http.py",
        "if not response.is_success:",
        "if False:",
        _API + "test_trouble_with_the_account_refuses_nobody",
    ),
)

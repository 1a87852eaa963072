"""Faults with several keys: one that is used for another's batches, or whose trouble is everybody's."""

from tests.faults.torture.deliberate.mutation import Mutation

_TEST = "tests/faults/test_accounts.py::test_"

MUTATIONS = (
    Mutation(
        "accounts",
        "requests of two keys travel in one batch",
        "daemon/batchd/journey/packer.py",
        "parted.setdefault(by.get(request.job, OWN), [])",
        "parted.setdefault(OWN, [])",
        f"{_TEST}each_folder_goes_by_its_key_and_no_batch_by_two",
    ),
    Mutation(
        "accounts",
        "a message goes by another key than its folder's",
        "daemon/batchd/journey/sync_sender.py",
        "self._accounts.api(message.batch.account)",
        'self._accounts.api("")',
        f"{_TEST}each_folder_goes_by_its_key_and_no_batch_by_two",
    ),
    Mutation(
        "accounts",
        "a count in doubt by one key is taken for all",
        "daemon/batchd/edges/store/batches.py",
        "AND NOT gave_back AND lane = ? AND account = ?",
        "AND NOT gave_back AND lane = ? AND ? = ''",
        f"{_TEST}a_doubt_of_one_key_keeps_no_create_of_another_that_has_the_same_count",
    ),
    Mutation(
        "accounts",
        "a create of one key is looked for in the list of another",
        "daemon/batchd/journey/finder.py",
        "        api = self._accounts.api(batch.account)\n        entries",
        '        api = self._accounts.api("")\n        entries',
        f"{_TEST}a_doubt_of_one_key_keeps_no_create_of_another_that_has_the_same_count",
    ),
    Mutation(
        "accounts",
        "a batch is polled by another key than it was sent by",
        "daemon/batchd/journey/poller.py",
        "self._accounts.api(batch.account).retrieve",
        'self._accounts.api("").retrieve',
        f"{_TEST}each_folder_goes_by_its_key_and_no_batch_by_two",
    ),
    Mutation(
        "accounts",
        "one key without credit parks all",
        "daemon/batchd/running/departure.py",
        "self._park(batch.account, None, trouble.blame, str(trouble))",
        'self._park("", None, trouble.blame, str(trouble))',
        f"{_TEST}a_key_without_credit_parks_its_own_alone",
    ),
    Mutation(
        "accounts",
        "what waits at one key fills the quota of all",
        "daemon/batchd/journey/packer.py",
        "self._max_queued - queued[account]",
        "self._max_queued - sum(queued.values())",
        f"{_TEST}the_quota_of_one_key_is_not_that_of_another",
    ),
    Mutation(
        "accounts",
        "what a missing key has sent is asked for by another",
        "daemon/batchd/running/accounts.py",
        "            raise Parked(key_is_gone(account))\n",
        "            return self._own\n",
        "tests/unit/test_accounts.py",
    ),
    Mutation(
        "accounts",
        "what is in doubt is sent again when its key is back",
        "daemon/batchd/edges/store/resolutions.py",
        "        return await self._step(batch, State.INTENDED, gave_back=True)\n",
        "        return await self.send_again(batch)\n",
        f"{_TEST}what_a_key_has_sent_that_is_taken_away_is_held_and_goes_on_when_it_is_back",
    ),
    Mutation(
        "accounts",
        "what was planned for one key goes by it though its folder has another",
        "daemon/batchd/running/departure.py",
        "if await self._accounts.changed(batch):",
        "if False:",
        f"{_TEST}a_folder_that_gets_another_key_leaves_what_it_has_sent_with_the_old_one",
    ),
)

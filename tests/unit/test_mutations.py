"""The list of deliberate faults keeps in step with the code that it breaks."""

import pytest

from tests.faults.torture.deliberate import SUBJECTS, Mutation
from tests.faults.torture.mutations import ROOT

MUTATIONS = [mutation for subject in SUBJECTS.values() for mutation in subject]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.fault)
def test_a_deliberate_fault_finds_its_place_and_its_test(mutation: Mutation) -> None:
    assert mutation.before in (ROOT / mutation.file).read_text("utf-8")
    assert (ROOT / mutation.test.split("::", maxsplit=1)[0]).exists()

"""Which prompts the API is asked to count: those of which a smaller number would let their job go on."""

from collections.abc import Iterable, Iterator

from batchd.claude.catalogue import Catalogue
from batchd.claude.prompt_size import window_of
from batchd.decisions.money.worst_case import Prompt, worst_case
from batchd.model import Held


def worth_counting(held: Iterable[Held], catalogue: Catalogue) -> Iterator[Held]:
    """Pick the requests that would fit into what is left if there were hardly anything to read in them.

    From the first that would not, nothing of its job is picked: no count can bring what comes after it any nearer.

    Args:
        held: Of each job those that come next, in their order.
        catalogue: What is known about models.
    """
    rooms: dict[int, int] = {}
    for each in held:
        room = rooms.get(each.job, each.room)
        window = window_of(catalogue.find(each.model), each.betas)
        prompt, lane = Prompt(1, window), each.wishes.lane
        least = worst_case(prompt, each.model, each.max_tokens, each.rounds, each.allowance, lane=lane)
        rooms[each.job] = room - (room + 1 if least is None else least)
        if least is not None and least <= room and not each.counted:
            yield each

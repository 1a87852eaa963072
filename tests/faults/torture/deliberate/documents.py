"""Faults in the decision about a document at the end of a round: most of all in what it may still write and cost."""

from tests.faults.torture.deliberate.mutation import Mutation

NEXT_STEP = "daemon/batchd/decisions/document/next_step.py"
REMAINING = "daemon/batchd/decisions/document/remaining.py"
TEST = "tests/unit/test_next_step.py"

MUTATIONS = (
    Mutation(
        "documents",
        "what a round has written is not taken off what may be written",
        REMAINING,
        "0 if not trip.round or takes_no_round(trip, result) else result.usage.output_tokens",
        "0",
        TEST,
    ),
    Mutation(
        "documents",
        "a round may ask for more than is left",
        NEXT_STEP,
        "most_tokens=min(max(facts.max_output, longest), answered.left),",
        "most_tokens=max(facts.max_output, longest),",
        TEST,
    ),
    Mutation(
        "documents",
        "the reservation is never lowered by what was spent",
        REMAINING,
        "max(trip.worst - (spent or 0), 0)",
        "trip.worst",
        TEST,
    ),
    Mutation(
        "documents",
        "the size of the prompt is lost after the first round",
        NEXT_STEP,
        "return self.before.draft.prompt_tokens or read",
        "return read",
        TEST,
    ),
    Mutation(
        "documents",
        "a document that does not grow is continued",
        NEXT_STEP,
        "grew=not trip.round or len(text) > len(draft.text) or takes_no_round(trip, answered.result),",
        "grew=True,",
        TEST,
    ),
    Mutation(
        "documents",
        "tools and structured output are continued in the middle",
        NEXT_STEP,
        'structured="tools" in first or "format" in (first.get("output_config") or {}),',
        "structured=False,",
        TEST,
    ),
    Mutation(
        "documents",
        "a long round lacks the beta that it needs",
        NEXT_STEP,
        "betas=tuple(sorted({*trip.betas, BETA_300K})) if long else trip.betas,",
        "betas=trip.betas,",
        TEST,
    ),
    Mutation(
        "documents",
        "rounds are never used up",
        NEXT_STEP,
        "rounds=rounds_left(trip, answered.result) - 1,",
        "rounds=rounds_left(trip, answered.result),",
        TEST,
    ),
    Mutation(
        "documents",
        "the rounds that may follow are not reserved",
        REMAINING,
        "following = max(tokens_left(trip, result) - max_tokens, 0)",
        "following = 0",
        TEST,
    ),
    Mutation(
        "documents",
        "an answer without a price frees the reservation",
        REMAINING,
        "(spent or 0)",
        "(trip.worst if spent is None else spent)",
        TEST,
    ),
    Mutation(
        "documents",
        "what was bounded before is forgotten when a round is asked for",
        REMAINING,
        "for each in (anew, bounded) if",
        "for each in (anew,) if",
        TEST,
    ),
    Mutation(
        "documents",
        "an expectation that cannot be read is taken for none",
        "daemon/batchd/decisions/document/expectation.py",
        'return Expectation(unreadable=f"what',
        'return NOTHING if error else Expectation(unreadable=f"what',
        TEST,
    ),
    Mutation(
        "documents",
        "the draft of a document that a retry may take up is removed",
        "daemon/batchd/journey/documents.py",
        "delivery.verdict not in AGAIN",
        "True",
        "tests/journey/test_documents.py",
    ),
)

"""A server's own sentence is told, and nothing in it that may be from the request that it answers."""

import json

import httpx2
import pytest
from batchd.edges.api.no_success import StatusError
from batchd.edges.api.wording import LONGEST_SENT, told_of
from hypothesis import given, settings
from hypothesis import strategies as st

PROMPT = "Write to Ms Quillfeather\nabout the Zanzibar invoice 88213 before the end of the month."
SENT = json.dumps({"requests": [{"custom_id": "t-1-1", "params": {"messages": [{"content": PROMPT}]}}]}).encode()


def said(sentence: str, sent: bytes | None = SENT) -> str:
    request = httpx2.Request("POST", "https://gateway.example/v1/messages/batches")
    body = {"error": {"type": "gateway_error", "message": sentence}}
    return told_of(StatusError(httpx2.Response(400, request=request, json=body)), sent)


@pytest.mark.parametrize(
    "sentence",
    [
        "No connected db. Prisma could not be reached at postgres-7.internal",
        "LiteLLM: virtual key expired on Tuesday; renew it with Kubernetes",
        "Deployment claude-eu-west unavailable (upstream Envoy 503)",
    ],
)
def test_a_gateways_own_sentence_is_told_whole(sentence: str) -> None:
    assert said(sentence) == f": {sentence}"


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("Prisma refused Quillfeather's key because it expired", ": Prisma refused … key because it expired"),
        ("Prisma refused the key of QUILLFEAT at this host", ": Prisma refused the key of … at this host"),
        ("the account of no. 88213 is not known to this proxy", ": the account of no. … is not known to this proxy"),
        ("Envoy says: before the end of the month, no service here at all", ": Envoy says: … no service here at all"),
        (PROMPT, ""),
        (f"bad: {PROMPT}", ""),
    ],
)
def test_what_the_request_holds_is_left_out(sentence: str, told: str) -> None:
    assert said(sentence) == told


def test_where_the_request_is_not_at_hand_nothing_is_told() -> None:
    assert said("Prisma failed", None) == said("Prisma failed", b"x" * (LONGEST_SENT + 1)) == ""


@settings(deadline=None)
@given(
    st.lists(st.text("abcdefghijklmnopqrstuvwxyzäß0123456789", min_size=3, max_size=12), min_size=1, max_size=30),
    st.data(),
)
def test_no_word_of_a_prompt_is_told_whatever_stands_around_it(words: list[str], data: st.DataObject) -> None:
    secret = [f"q{word}x" for word in words]
    sent = json.dumps({"messages": " ".join(secret)}, ensure_ascii=False).encode()
    own = st.sampled_from(["the", "server", "Prisma", "failed", "at"])
    around = data.draw(st.lists(own | st.sampled_from(secret) | st.sampled_from(secret).map(str.upper), max_size=25))
    shown = said(" ".join(around), sent).casefold()
    assert [word for word in secret if word.casefold() in shown] == []

"""Pictures and PDFs made at random: what their bytes tell is what they are."""

import base64
import json
import random
import zlib
from math import ceil

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.pdf_pages import pages
from batchd.claude.pictures import pixels
from batchd.claude.price import price, to_picodollars
from batchd.claude.prompt_size import measure
from batchd.decisions.money.worst_case import worst_of
from batchd.model import Entry, Usage
from batchd.sandbox.conversation import weigh
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.support import media

SIDES = st.integers(1, 8_000)
CATALOGUE = Catalogue()
MODELS = ["claude-haiku-4-5", "claude-sonnet-4-6", "claude-sonnet-5-5", "claude-opus-4-7"]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@given(SIDES, SIDES, st.sampled_from(sorted(media.PICTURES)))
def test_a_picture_tells_its_size(width: int, height: int, kind: str) -> None:
    assert pixels(b64(media.PICTURES[kind](width, height))) == (width, height)


@settings(deadline=None, max_examples=30)
@given(SIDES, SIDES, st.integers(0, 300_000), st.booleans())
def test_a_jpeg_tells_its_size_behind_all_that_a_camera_writes(w: int, h: int, before: int, progressive: bool) -> None:  # noqa: FBT001
    assert pixels(b64(media.jpeg(w, h, before=before, progressive=progressive))) == (w, h)


@given(SIDES, SIDES, st.sampled_from(["VP8 ", "VP8L", "VP8X"]))
def test_every_kind_of_webp_tells_its_size(width: int, height: int, kind: str) -> None:
    assert pixels(b64(media.webp(width, height, kind))) == (width, height)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8", b"RIFF0000WEBPVP8X"])
)
def test_no_bytes_make_a_picture_fail(data: bytes, head: bytes) -> None:
    found = pixels(b64(head + data))
    assert found is None or min(found) > 0


@given(st.text(max_size=60))
def test_what_is_no_base64_is_no_picture(text: str) -> None:
    assert pixels(text) is None or min(pixels(text) or (1, 1)) > 0


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 599), st.booleans(), st.integers(0, 1 << 32))
@example(count=600, packed=True, seed=1)
@example(count=1, packed=False, seed=1)
def test_a_pdf_tells_its_pages(count: int, packed: bool, seed: int) -> None:  # noqa: FBT001
    made = media.pdf(count, packed=packed, draw=random.Random(seed))  # noqa: S311  a document, no secret
    assert pages(made, 600) == count


def test_a_page_that_was_written_again_is_one_page() -> None:
    made = media.pdf(3, packed=False, draw=random.Random(1))  # noqa: S311  same
    page = made[made.index(b"4 0 obj") :]
    assert pages(made + page[: page.index(b"endobj") + 7], 600) == 3


def test_a_tree_that_hides_its_pages_is_believed_where_it_tells_more_and_never_less() -> None:
    made = media.pdf(30, packed=True, draw=random.Random(1))  # noqa: S311  same
    lies = b"%b\n900 0 obj <</Type/Pages/Count %d>> endobj"
    assert pages(lies % (made, 2), 600) == 30
    assert pages(lies % (made, 44), 600) == 44
    assert pages(lies % (made, 10**8), 600) == 600


@given(st.binary(max_size=300), st.sampled_from([b"%PDF-1.4 ", b"/Type/ObjStm/First 9 stream\n", b"/Type/Pages<<"]))
def test_no_bytes_make_a_pdf_fail(data: bytes, head: bytes) -> None:
    assert 1 <= pages(head + data, 100) <= 100


@pytest.mark.parametrize(
    "piece",
    [b"/Type/Pages<<", b"1 0 obj", b"/Type/ObjStm/First 1 stream\n", b"<< ", b"1 ", b"/Type   ", b"/Type/Page "],
)
def test_no_file_of_a_megabyte_takes_long(piece: bytes) -> None:
    assert 1 <= pages(piece * (1_000_000 // len(piece)), 600) <= 600


def test_an_unpacked_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    assert (
        pages(b"1 0 obj <</Type/ObjStm/First 10>>stream\n" + bomb + b"endstream", 600) == 600 or len(bomb) < 600 * 400
    )


@given(SIDES, SIDES, st.sampled_from(MODELS))
def test_a_picture_costs_by_its_pixels_and_its_block_by_its_bytes(width: int, height: int, model: str) -> None:
    cap = 1_568 if model.endswith(("4-5", "4-6")) else 4_784
    tokens = min(ceil(width / 28) * ceil(height / 28), cap)
    data = b64(media.png(width, height) + bytes(9_000))
    before, behind = b'{"messages":[{"role":"user","content":[{"type":"image","source":', b"}]}]}"
    source = b'{"type":"base64","media_type":"image/png","data":"%b"}'
    found = measure(before + source % data.encode() + behind, CATALOGUE.find(model))
    around = len(before + source + behind) - 2
    assert found.at_most == tokens + around
    assert found.about == tokens + ceil(around / 4)
    url = measure(before + b'{"type":"url","url":"https://x.example/a.png"}' + behind, CATALOGUE.find(model))
    assert cap <= url.at_most < cap + 200


def test_what_only_looks_like_a_picture_is_text() -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4_000}}
    call = {"type": "tool_use", "id": "a", "name": "b", "input": block}
    called = json.dumps({"messages": [{"role": "assistant", "content": [call]}]}).encode()
    assert measure(called, CATALOGUE.find("claude-sonnet-4-6")).at_most == len(called)
    shown = json.dumps({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [block]}]}]})
    assert 1_568 < measure(shown.encode(), CATALOGUE.find("claude-sonnet-4-6")).at_most < 1_568 + 300


BLOCKS = st.one_of(
    st.builds(
        lambda kind, width, height: {
            "type": "image",
            "source": media.base64_source(kind, media.PICTURES[kind](width, height)),
        },
        st.sampled_from(sorted(media.PICTURES)),
        st.integers(1, 8_000),
        st.integers(1, 8_000),
    ),
    st.builds(
        lambda count, packed, seed: {
            "type": "document",
            "source": media.base64_source(
                "application/pdf",
                media.pdf(count, packed=packed, draw=random.Random(seed)),  # noqa: S311  as above
            ),
        },
        st.integers(1, 30),
        st.booleans(),
        st.integers(0, 1 << 32),
    ),
    st.just({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}),
    st.builds(lambda text: {"type": "text", "text": text}, st.text(min_size=1, max_size=80)),
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(BLOCKS, min_size=1, max_size=6),
    st.sampled_from(MODELS),
    st.sampled_from(["said", "found by a tool"]),
    st.sampled_from([None, "us"]),
)
def test_no_prompt_costs_more_than_its_worst_case_nor_less_than_half_of_its_estimate(
    blocks: list[dict[str, object]],
    model: str,
    way: str,
    geo: str | None,
) -> None:
    content = [{"type": "tool_result", "tool_use_id": "t", "content": blocks}] if way == "found by a tool" else blocks
    params = {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": content}]}
    params |= {"inference_geo": geo} if geo else {}
    charged = weigh(params).tokens  # as the sandbox reckons it by itself, from the published formula
    assume(charged < CATALOGUE.find(model).window)  # what is longer is refused
    found = measure(json.dumps(params, ensure_ascii=False).encode(), CATALOGUE.find(model))
    assert charged <= found.at_most
    assert charged / 2 <= found.about + 50
    assert found.about <= 2 * charged + 100
    entry = Entry(1, "a", "a", json.dumps(params, ensure_ascii=False).encode(), model, 5)
    worst, cost = worst_of(entry, CATALOGUE), to_picodollars(price(Usage(charged, 5), model, geo=geo).charged)
    assert worst is not None
    assert cost is not None
    assert cost <= worst

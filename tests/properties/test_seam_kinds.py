"""A text that repeats itself keeps every repetition at every cut: code, data, verse, tables, logs, eight scripts."""

import json

import pytest
from batchd.decisions.document.stitch import join, kept

ITEM = '  {\n    "name": "bolt, short",\n    "size": 8,\n    "made of": "steel or brass"\n  },\n'
REFRAIN = (
    "Row, row, row your boat along the quiet and the winding shore,\n"
    "Merrily and warily and verily we row it evermore,\nLife is but a dream of oars.\n\n"
)
RUNBOOK = (
    "# Restart\n\nStop the queue.\nResume the previous session.\nContinue with the last step.\n\n"
    "Continue from where the document says so.\n\nHere is the whole list:\nStop the queue.\n"
    "Resume the previous session.\nContinue with the last step.\n\nPick up the rest of the parts.\n\n"
)
KINDS = {
    "json": "[\n" + ITEM + ITEM + ITEM.replace("8", "10") + ITEM + ITEM + "]\n",
    "two equal objects": "[\n" + ITEM + ITEM + "]\n",
    "jsonl": '{"id": 1, "text": "the same text, of some length"}\n' * 3 + '{"id": 2}\n',
    "code": "def f(client):\n    one = client.get('/items/7')\n    assert one.status == 200\n" * 2
    + "def g(client):\n    one = client.get('/items/7')\n    assert one.status == 200\n    assert one.status == 200\n",
    "song": REFRAIN + "The first verse tells of how we went.\n\n" + REFRAIN + "The second one of what we spent.\n",
    "a refrain sung twice": "A verse that comes before it, all alone.\n\n" + REFRAIN + REFRAIN + "The end.\n",
    "table": "| name | value |\n|---|---|\n" + "| the same row | again and again | 0 |\n" * 4 + "| the last | 1 |\n",
    "csv": "name,size\n" + "bolt,8\n" * 6 + "nut,8\n" + "bolt,8\n" * 2,
    "log": "".join(f"2026-11-22 INFO waiting for the server, attempt {n // 4}\n" for n in range(14)),
    "yaml": "- name: one\n  size: 8\n  made: here and there\n" * 2 + "- name: two\n  size: 8\n  made: here and there\n",
    "rulers": f"{'=' * 60}\nPart\n{'=' * 60}\n\n" * 3,
    "runbook": RUNBOOK,
    "windows": RUNBOOK.replace("\n", "\r\n"),
    "one line": "so it goes, and so it went, and so it goes again; " * 8,
    "chinese": "春眠不觉晓,处处闻啼鸟。夜来风雨声,花落知多少。" * 3 + "春眠不觉晓。\n" * 2,
    "japanese": "古池や蛙飛びこむ水の音。古池や蛙飛びこむ水の音。\n" * 3 + "カタカナとひらがな。",
    "thai": "ไปไหนมาสามวาสองศอก ไปไหนมาสามวาสองศอก\n" * 3 + "จบแล้ว\n",
    "arabic": "كان يا ما كان في قديم الزمان، كان يا ما كان.\n" * 3 + "النهاية.\n",
    "hindi": "एक था राजा, एक थी रानी, दोनों मर गए, खतम कहानी।\n" * 3,
    "korean": "산은 산이요 물은 물이로다. 산은 산이요 물은 물이로다.\n" * 3,
    "khmer": "ភាសាខ្មែរ ភាសាខ្មែរ ភាសាខ្មែរ\n" * 3,
    "emoji": "👩‍👩‍👧‍👦🇩🇪🇫🇷👍🏽é\n" * 8,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_repetition_is_kept_at_every_cut(kind: str) -> None:
    document = KINDS[kind]
    for cut in range(1, len(document)):
        before = kept(document[:cut])
        joined = join(before, document[len(before) :], dropped=document[len(before) : cut])
        assert joined.text.rstrip() == document.rstrip(), cut


@pytest.mark.parametrize("kind", KINDS)
def test_and_in_rounds_of_any_length(kind: str) -> None:
    document = KINDS[kind]
    for size in (7, 23, 61, 97):
        text, since = "", 0
        for cut in range(size, len(document) + size, size):
            before = kept(text, since=since)
            dropped = text[len(before) :]
            end = max(cut, len(before) + 1)
            text, since = join(before, document[len(before) : end], dropped=dropped).text, len(before)
        assert text.rstrip() == document.rstrip(), size


@pytest.mark.parametrize("kind", ["json", "two equal objects"])
def test_what_was_json_is_json_again(kind: str) -> None:
    document = KINDS[kind].replace("},\n]", "}\n]")
    whole = json.loads(document)
    for cut in range(1, len(document)):
        before = kept(document[:cut])
        assert json.loads(join(before, document[len(before) :], dropped=document[len(before) : cut]).text) == whole


@pytest.mark.parametrize("line", ["Resume the previous session.\n\n", "Continue with the last step.\n\n"])
def test_an_imperative_is_no_remark_of_the_model(line: str) -> None:
    before = "# Restart\n\nStop the queue.\n"
    for ended in (False, True):
        assert join(before, line + "Done.\n", ended=ended).text.endswith(line + "Done.\n")

"""How long a text is to whoever reads its script.

Most scripts part their words by blanks, and there a word is a stretch between two of them in which a letter or a digit
is: the bars of a table, rulers, bullets and dashes are no words. Two kinds do not:

- Han, kana, bopomofo and Yi have no blanks, and readers count signs (字数, 文字数): each is one. Word processors do the
  same, and so do the default word boundaries of Unicode (UAX 29, where nothing joins two ideographs).
- Thai, Lao, Khmer, Burmese and their kin write words of several signs without blanks between them; where one ends only
  a dictionary tells (UAX 14, class SA; UAX 29, 4). That cannot be measured here, so it is bounded: there are as many
  words as there can be, one for every two signs. Such a text is called too short only where it surely is.

Tibetan parts its syllables by a tsheg, Ethiopic its words by a wordspace, and any script may by U+200B.
"""

import re
from typing import Final

_SIGN: Final = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\uf900-\ufaff\uff66-\uff9f\U00017000-\U00018cff\U00020000-\U0003ffff"
)
_JOINED: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f\u1780-\u17d3"
    "\u17dc\u17dd\u1950-\u1974\u1980-\u19c9\u1a20-\u1a7c\u1b00-\u1b4c\ua980-\ua9c0\ua9e0-\ua9ef\ua9fa-\ua9fe"
    "\uaa60-\uaa7f\uaa80-\uaadd\U00011700-\U0001172b"
)
_SIGNS: Final = re.compile(f"[{_SIGN}]")
_RUNS: Final = re.compile(f"[{_JOINED}]+")
_OTHERWISE: Final = re.compile(f"[{_SIGN}{_JOINED}\u0f0b-\u0f14\u1361\u200b]")
"""What does not go by blanks."""
_FEWEST_SIGNS: Final = 2


def words(text: str) -> int:
    """Count words as a reader of the script does; where that cannot be known, as many as there can be."""
    if _OTHERWISE.search(text) is None:
        return _stretches(text)
    signs = len(_SIGNS.findall(text))
    joined = sum(-(-len(run) // _FEWEST_SIGNS) for run in _RUNS.findall(text))
    return signs + joined + _stretches(_OTHERWISE.sub(" ", text))


def _stretches(text: str) -> int:
    return sum(stretch[0].isalnum() or any(map(str.isalnum, stretch)) for stretch in text.split())


def different_words(text: str) -> int:
    """Count the words that differ; where no blanks part them, the signs."""
    return len({*_SIGNS.findall(text), *"".join(_RUNS.findall(text)), *_OTHERWISE.sub(" ", text).split()})


def characters(text: str) -> int:
    """Count the characters of a text, blanks among them but for those around it, as an editor does: code points."""
    return len(text.strip())

"""Reads from a wish how long a text is to be, in words, whatever it was said in: words, pages, characters."""

import re
from itertools import islice
from typing import Final

_OF_WORD: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "eighty": 80, "a": 1, "half a": 0.5,
}  # fmt: skip
_OF_POWER: Final = {"dozen": 12, "hundred": 100, "thousand": 1000, "k": 1000, "million": 1_000_000}
NUMBER: Final = (
    r"(?:\d[\d,._]*|" + "|".join(sorted(_OF_WORD, key=len, reverse=True)) + r")"
    r"(?:[ -]?(?:k\b|dozen|hundred|thousand|million))*|(?:hundred|thousand|dozen)"
)
"""A number in figures or in words, as a pattern without groups."""

_WORDS_OF: Final = {
    "word": 1.0, "wort": 1.0, "wört": 1.0, "mot": 1.0, "palabra": 1.0, "parol": 1.0, "字": 1.0, "文字": 1.0,
    "token": 0.65, "page": 480.0, "seite": 480.0, "character": 0.25, "zeichen": 0.25,
    "sentence": 14.0, "paragraph": 60.0,
}  # fmt: skip
"""4 characters a token and 6.2 a word, blank included; a page as in the seed article: 200 of them 150,000 tokens.
Of characters rather too many, since nobody minds."""
_LENGTH: Final = re.compile(
    rf"(?<![\w.,$€])(?P<number>{NUMBER})[ -]*"
    r"(?P<unit>words?|wörtern?|worten?|mots|palabras|parole|文字|字|tokens?|pages?|seiten?|characters?|zeichen|sentences?|paragraphs?)"
    r"(?![\w])(?P<each>\s+(?:(?:in|for)\s+)?(?:a|per|each|every)\s+(?:chapter|section|part|heading|item)|\s+each\b)?",
    re.IGNORECASE,
)
_EACH_BEFORE: Final = re.compile(
    r"\b(?:each|every)\b[^.!?\n]{0,60}$|\b(?:chapters|sections|parts)\s+of\s+(?:(?:at|about|some|around)\s+)?(?:least\s+)?$",
    re.IGNORECASE,
)
_MATERIAL_BEFORE: Final = re.compile(
    r"\b(?:this|that|these|those|attached|following|enclosed|my|our|your|below|above)\s+(?:\w+\s+){0,2}$"
    r"|\b(?:summari[sz]e|sum up|translate|read|review|proofread|classify|shorten)\s+(?:the|an?)\s+(?:\w+\s+){0,2}$",
    re.IGNORECASE,
)
"""What is spoken of is there already, as in: sum up this 200-page contract."""
_SEEN: Final = 100
"""Lengths of one prompt that are looked at."""


def words(wish: str, sections: int = 0) -> int | None:
    """How many words are asked for in all, the most that is said.

    Args:
        wish: A prompt, or any text that asks for one.
        sections: How many parts the text has, for what is asked of each.

    Returns:
        None where nothing is said.
    """
    found: list[int] = []
    seen = 0
    for length in islice(_LENGTH.finditer(wish), _SEEN):
        # Of "900 words in each part, 9,000 in all" the word before the second length belongs to the first.
        before, seen = wish[max(seen, length.start() - 80) : length.start()], length.end()
        if _MATERIAL_BEFORE.search(before):
            continue
        each = length["each"] or _EACH_BEFORE.search(before)
        found.append(round(_in_words(length) * (max(1, sections) if each else 1)))
    return max(found, default=0) or None


def number(said: str) -> int:
    """The number that `NUMBER` has matched."""
    return round(_value(said))


def _in_words(length: re.Match[str]) -> float:
    unit = length["unit"].lower()
    factor = next(each for name, each in _WORDS_OF.items() if unit.startswith(name))
    return _value(length["number"]) * factor


def _value(said: str) -> float:
    plain = said.lower()
    power = 1
    for name, times in _OF_POWER.items():
        if re.search(rf"(?:\b|\d){name}\b", plain):
            power *= times
            plain = plain.replace(name, "")
    plain = plain.strip(" -")
    if power > 1 and re.fullmatch(r"\d{1,3}[.,]\d{1,2}", plain):
        return float(plain.replace(",", ".")) * power
    if digits := re.sub(r"\D", "", plain):
        return float(int(digits[:9]) * power)
    return _OF_WORD.get(plain, 1) * power

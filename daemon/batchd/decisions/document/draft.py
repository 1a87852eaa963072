"""A document between two rounds."""

import msgspec


class Draft(msgspec.Struct, frozen=True):
    """How far a document had come when a round was asked for."""

    kept: str
    """The text as it was sent."""
    dropped: str
    """What was cut off behind it, to be written again."""
    ended: bool
    """Whether the model had ended the text, which was short of what was expected."""
    prompt_tokens: int
    """Of the first round."""
    seams: tuple[int, ...] | None = None
    """How long the text was in each round that left its prefix in the cache; None while none did."""

    earlier: str = ""
    """What a round had written that could not be continued, so that the answer begins anew."""

    @property
    def text(self) -> str:
        """All that was written so far, and is to be continued."""
        return self.kept + self.dropped

    @property
    def paid(self) -> str:
        """What is delivered where nothing more comes."""
        return self.text or self.earlier


NOTHING = Draft("", "", ended=False, prompt_tokens=0)
"""Before the first round."""

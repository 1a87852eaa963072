"""What a server said of an error, made fit to be shown: in one line, printable, short, and without a key."""

import re
from collections.abc import Callable, Mapping, Sequence

from batchd.edges.api.no_success import StatusError

_KIND = re.compile(r"[a-z_]{1,40}")
_SECRET = re.compile(r"\b(?:sk-|key-)[\w.-]{6,}|(?<=[Bb]earer )\S+")
_LONGEST = 200
"""Characters of a sentence that are shown."""
_LEFT_OUT = "…"
_DIGITS = 3
"""Of a number that is shown: a status, or seconds."""
_PLAIN = frozenset(
    """
    a an the this that these those it its you your we our no not none nor and or but if because so as at by for from in
    into of on onto out over per to under up upon with without within after before until while again also already any
    all each every more most less least only other same such too very yet now then here there when where which what who
    is are was were be been being has have had do does did done can cannot could may might must shall should will would
    access account action active add address admin allowed allowlist alias api application argument attempts auth
    authenticate authenticated authentication authorization authorized available backend bad balance balancer base
    batch batches billing blocked body budget busy call cannot change check circuit client closed cluster code
    configuration configured connect connected connection contact content context credential credentials credit credits
    current currently daily database day days db deactivated denied deployment deployments deprecated detail details
    disabled does down due empty enabled endpoint enough error errors exceed exceeded exceeds exception exhausted exist
    exists expected expired fail failed failure field file find forbidden format found gateway get group header
    headers healthy help host hour hours id in internal invalid ip issue key keys later length limit limited limits
    list load log login long lost maintenance make max maximum message messages method minute minutes missing model
    models month monthly name need needed network new number open operation option org organization overloaded
    page parameter pass passed path pay payment peer permission permissions permitted plan please policy pool port post
    problem proxy provide provided provider providers quota rate reach reached received refused region reject rejected
    remote remove request requests require required reset resource response retry role route router routes routing
    second seconds secret see send sent server servers service session set size spend spending start started state
    status stopped support supported team temporarily temporary tenant tenants terminated tier time timed timeout token
    tokens try trying type unable unauthenticated unauthorized unavailable unexpected unhealthy unknown unreachable
    unsupported upgrade upstream url usage use used user users using valid value version virtual wait waiting way week
    workspace wrong
    """.split()  # noqa: SIM905  words are read more easily than strings
)
"""Words that gateways say of themselves."""
LONGEST_SENT = 256_000
"""Bytes of a body that is looked through, which takes some ten milliseconds."""
_RUN = 4
"""Words in a row that are nobody's but the request's, however usual each of them is."""
_ESCAPED = re.compile(r"\\[nrtbf]")
_BETWEEN = re.compile(r"[\W_]+")
_HEADERS = ("x-api-key", "authorization", "proxy-authorization")


def kind_of(error: StatusError) -> str:
    """Its `error.type`, which is shown and logged: only what looks like one, since a gateway may say anything there."""
    kind = error.kind or ""
    return kind if _KIND.fullmatch(kind) else f"HTTP {error.status_code}"


def message_of(error: StatusError) -> str:
    """What the server said, as it said it: nested, flat, as `detail`, or as a string; empty where it said nothing."""
    if error.said is not None:
        return error.said
    body = error.body if isinstance(error.body, Mapping) else {}
    return next((said for key in ("message", "error", "detail") if (said := _text(body.get(key)))), "")


def _sentence_of(error: StatusError) -> str:
    """The same for people, with a colon in front."""
    said = " ".join(message_of(error).split())
    for secret in _secrets(error):
        said = said.replace(secret, "…")
    said = "".join(letter if letter.isprintable() else "?" for letter in _SECRET.sub("…", said))
    if len(said) > _LONGEST:
        said = said[:_LONGEST].rstrip() + "…"
    return f": {said}" if said else ""


def outline_of(error: StatusError) -> str:
    """The same in words of our own list alone, for what is shown and logged: a server may repeat a prompt anywhere.

    The names of betas that were sent pass too. Each other word is left out, and all of them where most would be.
    """
    betas = frozenset(error.response.request.headers.get("anthropic-beta", "").split(","))
    return _without(_words_of(error), lambda word: _bare(word) in betas or _is_plain(word))


def told_of(error: StatusError, sent: bytes | None) -> str:
    """The same, without what can be from the request that it answers: words of it, and runs of words.

    Args:
        sent: The body of that request, which holds all that was sent to the server by it; None where it is not at
            hand, and then nothing is told.
    """
    if sent is None or len(sent) > LONGEST_SENT:
        return ""
    text, words = _normal(sent.decode("utf-8", "replace")), _words_of(error)
    bare = [_normal(word).split() for word in words]
    repeated = {
        place
        for begin in range(len(words) - _RUN + 1)
        if " ".join(part for parts in bare[begin : begin + _RUN] for part in parts) in text
        for place in range(begin, begin + _RUN)
    }
    hidden = {
        place
        for place, (word, parts) in enumerate(zip(words, bare, strict=True))
        if place in repeated or (not _is_plain(word) and any(part in text for part in parts))
    }
    places = iter(range(len(words)))
    return _without(words, lambda _: next(places) not in hidden)


def _words_of(error: StatusError) -> list[str]:
    return _sentence_of(error).removeprefix(":").split()


def _without(words: Sequence[str], shown: Callable[[str], bool]) -> str:
    """What is left of a sentence, with a colon in front; nothing where most of it would be missing."""
    known = [word if shown(word) else _LEFT_OUT for word in words]
    if 2 * known.count(_LEFT_OUT) >= len(known):
        return ""
    return ": " + " ".join(
        word for word, before in zip(known, ["", *known], strict=False) if word + before != _LEFT_OUT * 2
    )


def _normal(text: str) -> str:
    """Words as they are compared: whatever their case, and what stands between them."""
    return _BETWEEN.sub(" ", _ESCAPED.sub(" ", text).casefold()).strip()


def _bare(word: str) -> str:
    return word.strip(".,:;!?()'\"`")


def _is_plain(word: str) -> bool:
    bare = _bare(word).lower()
    return bare in _PLAIN or (len(bare) <= _DIGITS and bare.isdecimal())


def _text(said: object) -> str:
    """A string, or the messages of a list of problems, as FastAPI writes them."""
    if isinstance(said, str):
        return said
    if isinstance(said, Mapping):
        return _text(said.get("message") or said.get("msg"))
    if isinstance(said, list):
        return "; ".join(filter(None, map(_text, said[:3])))
    return ""


def _secrets(error: StatusError) -> list[str]:
    headers = error.response.request.headers
    return [word for name in _HEADERS for word in headers.get(name, "").split() if len(word) > len("Bearer")]

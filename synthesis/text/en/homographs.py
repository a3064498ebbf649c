"""Which of two pronunciations: "they record" or "a record". Decided from the neighbours, without a tagger.

A tagger needs a model that its package downloads; the words around a homograph decide most cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from synthesis.text.en.lexicon import Pronunciation, homographs

_listed = str.split
_SUBJECTS = frozenset(_listed("i you we they he she it who there"))
_BEFORE_VERB = _SUBJECTS | frozenset(
    _listed(
        "to will would shall should can could may might must cannot do does did let's please not never also always "
        "i'll you'll we'll they'll he'll she'll it'll i'd you'd we'd they'd he'd she'd don't doesn't didn't won't "
        "wouldn't can't couldn't shouldn't mustn't let help and or"
    )
)
_WEAK = frozenset({"and", "or"})
_BEFORE_NOUN = frozenset(
    _listed(
        "a an the this that these those my your his her its our their some any no each every another of in on at by "
        "for with from into about under over first second last next new old good bad great own such one two"
    )
)
_OBJECTS = frozenset(_listed("a an the this that these those my your his her its our their me him us them it"))
_BE = frozenset(
    _listed("am is are was were be been being i'm you're we're they're he's she's it's isn't aren't wasn't weren't")
)
_HAVE = frozenset(_listed("have has had having i've you've we've they've haven't hasn't hadn't"))
_FUNCTION = _OBJECTS | _BE | _HAVE | frozenset(_listed("of in on at by for with from to and or but as than"))
_MOSTLY_VERBS = frozenset(
    _listed(
        "affect affects closes collect collects combine compress compresses construct constructs converse "
        "convert converts dictate dictates discard discards implement incorporate initiate insert inserts "
        "invite invites purport recall recalls refresh refuse regenerate reject rejects retake rethink "
        "rewrite surmise underestimate use uses "
    )
)
"""Read as verbs unless what is before them, or an "of" behind, shows a noun; all others the other way round."""


def choose(words: Sequence[str], place: int) -> Pronunciation:
    """The pronunciation of the homograph ``words[place]``; the words are lower-case tokens, marks among them."""
    word = words[place]
    first, second, part = homographs()[word]
    before, after = _neighbour(words, place, -1), _neighbour(words, place, +1)
    if word == "read":
        return first if _present(before) else second
    if word == "complex":  # of the two entries only the adjective is stressed on the second syllable
        return second if before in _OBJECTS and (not after or after in _FUNCTION) else first
    if word == "content":
        return second if before in _BE and (not after or after in {"with", "to"}) else first
    if word == "used":
        return second if after == "to" and before not in _BE else first
    if part != "V":
        return second
    if word in _MOSTLY_VERBS:
        return second if before in _BEFORE_NOUN - {"that"} or after == "of" else first
    return first if _verb(before, after, starts=not before) else second


def _neighbour(words: Sequence[str], place: int, step: int) -> str:
    """The word before or after, over an adverb in -ly; "" at a mark or at the end."""
    at = place + step
    if 0 <= at < len(words) and words[at].endswith("ly") and len(words[at]) > 4:
        at += step
    found = words[at] if 0 <= at < len(words) else ""
    return found if found[:1].isalpha() else ""


def _verb(before: str, after: str, *, starts: bool) -> bool:
    if before in _WEAK or starts:
        return after in _OBJECTS
    if before in _BEFORE_VERB:
        return True
    return after in _OBJECTS and before not in _BEFORE_NOUN and before not in _BE and before not in _HAVE


def _present(before: str) -> bool:
    return before in _BEFORE_VERB - {"he", "she", "it", "and", "or", "never", "always", "also", "who"} or not before

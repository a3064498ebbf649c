"""A tree back to either of its spellings; reading that again gives the same tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from scheduler.markup.nodes import (
    Break,
    Emotion,
    Lang,
    Mark,
    Node,
    Paragraph,
    Phoneme,
    Prosody,
    Reaction,
    SayAs,
    Sentence,
    Sub,
    Text,
    Voice,
)
from scheduler.markup.ssml import NAMESPACE, SSML
from scheduler.markup.values import percent

_SPECIAL = re.compile(r"[\[\]{}\\]")
_IN_VALUE = re.compile(r"[\[\]\\]")
_PLAIN = re.compile(r"[^{}|]+")


def to_ssml(nodes: Iterable[Node], language: str | None = None) -> str:
    """A whole document."""
    stated = "" if language is None else f" xml:lang={quoteattr(language)}"
    return f'<speak version="1.1" xmlns="{SSML}" xmlns:d="{NAMESPACE}"{stated}>{_ssml(nodes)}</speak>'


def to_brackets(nodes: Iterable[Node]) -> str:
    """Text with brackets."""
    return "".join(map(_bracketed, nodes))


def _ssml(nodes: Iterable[Node]) -> str:
    return "".join(map(_element, nodes))


def _element(node: Node) -> str:
    match node:
        case Text(text):
            return escape(text)
        case Break(ms):
            return f'<break time="{ms}ms"/>'
        case Phoneme(text, phonemes, alphabet):
            return f"<phoneme alphabet={quoteattr(alphabet)} ph={quoteattr(phonemes)}>{escape(text)}</phoneme>"
        case Sub(text, alias):
            return f"<sub alias={quoteattr(alias)}>{escape(text)}</sub>"
        case SayAs(text, kind):
            return f'<say-as interpret-as="{kind}">{escape(text)}</say-as>'
        case Reaction(name):
            return f"<d:reaction name={quoteattr(name)}/>"
        case Mark(name):
            return f"<mark name={quoteattr(name)}/>"
        case Lang(tag, children):
            return f"<lang xml:lang={quoteattr(tag)}>{_ssml(children)}</lang>"
        case Prosody(rate, children):
            return f'<prosody rate="{percent(rate)}">{_ssml(children)}</prosody>'
        case Voice(name, children):
            return f"<voice name={quoteattr(name)}>{_ssml(children)}</voice>"
        case Emotion(name, children):
            return f"<d:emotion name={quoteattr(name)}>{_ssml(children)}</d:emotion>"
        case Paragraph(children):
            return f"<p>{_ssml(children)}</p>"
        case Sentence(children):
            return f"<s>{_ssml(children)}</s>"


def _bracketed(node: Node) -> str:
    match node:
        case Text(text):
            return _text(text)
        case Break(ms):
            return f"[pause {ms}ms]"
        case Phoneme(text, phonemes, "x-inline") if _fits_inline(text) and _fits_inline(phonemes):
            return f"{{{text}|{phonemes}}}"
        case Phoneme(text, phonemes, alphabet):
            return f"[phoneme:{alphabet}:{_value(phonemes)}]{_text(text)}[/phoneme]"
        case Sub(text, alias):
            return f"[sub:{_value(alias)}]{_text(text)}[/sub]"
        case SayAs(text, kind):
            return f"[say-as:{kind}]{_text(text)}[/say-as]"
        case Reaction(name):
            return f"[reaction:{_value(name)}]"
        case Mark(name):
            return f"[mark:{_value(name)}]"
        case Lang(tag, children):
            return f"[lang:{tag}]{to_brackets(children)}[/lang]"
        case Prosody(rate, children):
            return f"[rate:{percent(rate)}]{to_brackets(children)}[/rate]"
        case Voice(name, children):
            return f"[voice:{_value(name)}]{to_brackets(children)}[/voice]"
        case Emotion(name, children):
            return f"[emotion:{_value(name)}]{to_brackets(children)}[/emotion]"
        case Paragraph(children):
            return f"[paragraph]{to_brackets(children)}[/paragraph]"
        case Sentence(children):
            return f"[sentence]{to_brackets(children)}[/sentence]"


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def _value(text: str) -> str:
    return _IN_VALUE.sub(r"\\\g<0>", text)


def _fits_inline(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text == " ".join(text.split()) and len(text) <= 2000

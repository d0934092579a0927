"""What of a text is no description: openings, names of files, markup, loops, another language."""

from __future__ import annotations

import html
import re
from collections import Counter

from captioning.captioner.patterns import compiled, patterns
from captioning.text.visible import has_words
from captioning.text.words import COMMON, words

MOST_REPEATS = 3
"""How often a phrase may follow itself."""
_LONGEST_PHRASE = 12
"""Words of a phrase that is looked for."""
_FEWEST_COMMON = 2
"""Common words of another language, and none of its own, that tell the language of a text."""

_PICTURE = r"(?:images?|photographs?|photos?|pictures?|pics?|screenshots?)"
_OPENINGS = patterns("openings.txt")
_REMOVED = compiled(rf"\s*{_OPENINGS['removed']}")
_OPENING = compiled(rf"\s*(?:{_OPENINGS['removed']}|{_OPENINGS['left']})")
_NOTHING = re.compile(
    rf"(?:(?:an?|the|this)\s+)?(?:{_PICTURE}|img|untitled|caption|alt[ _-]?text|description|text)"
    r"[\W\d_]*"
    r"|(?:img|dscn?|dscf|pxl|mvimg|wp|gopr|dji|screenshot)[_-]?\d[\w-]*"
    r"|\S+\.(?:jpe?g|jfif|png|gif|webp|tiff?|bmp|ico|heic|heif|avif|jxl|jp2|svg|dng|mpo)"
    r"|n\s*/\s*a|n\.a\.|null|none|nil|nan|undefined|unknown|not\s+(?:applicable|available)|tbd|todo"
    r"|no\s+(?:caption|description|alt(?:ernative)?[ _-]?text)(?:\s+available)?|placeholder|string",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^\s*(?:(?:sure|certainly|of\s+course|okay|ok)[!,.]\s+)?"
    r"(?:here(?:'s|’s|\s+is|\s+are)\s+(?:an?|the|your)\s+[^:]{0,60}:\s*"
    r"|(?:alt(?:ernative)?[ _-]?text|caption|description|title|bildunterschrift|alternativtext|"
    r"beschreibung|légende|texte\s+alternatif|descripción|texto\s+alternativo)\s*:\s*)",
    re.IGNORECASE,
)
_QUOTED = r"(?P<quoted>“[^”]*”|\"[^\"]*\"|«[^»]*»|„[^“”]*[“”]|「[^」]*」)"
"""What a picture says may look like markup, and stays."""
_TOKEN = re.compile(
    rf"{_QUOTED}|<\|[^|<>]{{1,40}}\|>|</?s>|\[/?INST\]|<box>.*?</box>", re.IGNORECASE
)
_ALT = re.compile(r"<img\b[^>]*\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')[^>]*>", re.IGNORECASE)
_TAG = re.compile(rf"{_QUOTED}|</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(rf"{_QUOTED}|&(?:[a-z]{{2,8}}|#\d{{1,6}}|#x[0-9a-f]{{1,6}});", re.IGNORECASE)
_EMPHASIS = re.compile(
    rf"{_QUOTED}|(?P<mark>\*{{1,3}}|_{{2,3}}|`{{1,3}}|~~)(?=\S)(?P<inside>.+?)(?<=\S)(?P=mark)"
)
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|#{1,6}\s+|>\s+)")
_HASHTAGS = re.compile(r"(?:\s*#\w+){2,}\s*$")
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»", "„": "“", "「": "」"}
_ENDS = " .\"'“”"


def opening(text: str) -> bool:
    """Whether it opens with "image of", "das Bild zeigt" or the like."""
    return _OPENING.match(text) is not None


def without_opening(text: str) -> str:
    """The text without such openings, starting with a capital letter if one was removed. They stay
    in languages where the rest would be wrong without them."""
    while (found := _REMOVED.match(text)) and has_words(rest := text[found.end() :]):
        text = rest[:1].upper() + rest[1:]
    return text


def says_nothing(text: str) -> bool:
    """Whether the text is only "an image", "N/A" or the like, or the name of a file."""
    return _NOTHING.fullmatch(text.strip(_ENDS)) is not None


def has_wrapping(text: str) -> bool:
    """Whether there is something around or in the text that is not to be read out: markup, tokens
    of a model, a label, quotes around all of it."""
    return plain(text) != " ".join(text.split())


def plain(text: str) -> str:
    """The text without that."""
    for _ in range(4):  # one may be inside another
        before, text = text, _unwrapped(text)
        if text == before:
            break
    return text


def is_looping(text: str) -> bool:
    """Whether a phrase follows itself more than MOST_REPEATS times."""
    said = text.casefold().split()
    for length in range(1, _LONGEST_PHRASE + 1):
        same = 0
        for at in range(length, len(said)):
            same = same + 1 if said[at] == said[at - length] else 0
            if same >= length * MOST_REPEATS:
                return True
    return False


def is_in_another_language(text: str, language: str) -> bool:
    """Whether the words of a text are common ones of another language, and none is of its own."""
    own = COMMON.get(language.partition("-")[0].lower(), "").split()
    said = Counter(words(text))
    if not said or any(word in said for word in own):
        return False
    if not own and not text.isascii():
        return False
    needed = _FEWEST_COMMON if own else _FEWEST_COMMON + 1
    others = (set(common.split()) for name, common in COMMON.items() if name != language)
    most = max((sum(said[word] for word in common) for common in others), default=0)
    return most >= needed and most * 6 >= said.total()


def _unwrapped(text: str) -> str:
    text = _ALT.sub(lambda found: found[1] or found[2] or "", text)
    for marks in (_TOKEN, _TAG):
        text = marks.sub(lambda found: found["quoted"] or "", text)
    text = _ENTITY.sub(lambda found: found["quoted"] or html.unescape(found[0]), text)
    text = _EMPHASIS.sub(lambda found: found["quoted"] or found["inside"], text)
    text = _HASHTAGS.sub("", _LABEL.sub("", _BULLET.sub("", text, count=1), count=1))
    text = " ".join(text.split())
    last = _QUOTES.get(text[:1])
    if last and text.endswith(last) and len(text) > 2:
        inner = text[1:-1]
        if last not in inner and text[0] not in inner:
            return inner.strip()
    return text

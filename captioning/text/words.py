"""Words of a text, folded and stemmed, so that a search finds other spellings and forms.

In scripts without spaces between words (Chinese, Japanese, Thai, …) each letter is a word.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

import regex
import snowballstemmer

LONGEST = 64
"""Letters of a word that count; the rest of a longer one is dropped."""
LONGEST_TAG = 200
"""Letters of a tag's key."""
ALWAYS = "en"
"""The language of every search beside the app's own: most file names are in it."""
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|(?:(?![{_UNSPACED}])[\p{{L}}\p{{N}}]\p{{M}}*)+")
_ACCENTS = regex.compile(r"(?<!и)[\u0300-\u036f]|[\u0591-\u05c7\u064b-\u0655\u0670]|['’ʼ]")
"""Latin, Greek and Cyrillic accents (not that of й), Hebrew and Arabic vowels, apostrophes."""
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""Snowball's algorithms by language; words of other languages are taken as they are."""
COMMON = {
    "en": "a an and are as at be by for from in into is it its of on or that the their there this "
    "to was were with",
    "de": "als am an auf aus bei das dem den der des die ein eine einem einen einer eines fur im "
    "in ins ist mit nach sich sind und unter vom von vor wird zu zum zur",
    "es": "a al con de del e el en es esta la las lo los o para por que se su sus un una unas unos "
    "y",
    "fr": "a au aux avec ce ces dans de des du elle en est et il la le les leur ou par pour qui sa "
    "se ses son sont sur un une",
    "it": "a ai al alla alle con da dal dei del della delle di e ed gli i il in la le lo nel nella "
    "per si su sul sulla un una uno",
    "nl": "aan bij dat de den die dit een en het in is met naar of om onder op te tot uit van voor "
    "zijn",
    "pt": "a ao as com da das de do dos e em na nas no nos o os ou para pela pelo por que se sua "
    "um uma",
}
"""Words that distinguish pictures least, folded: they are neither indexed nor searched for."""
_COMMON = {language: frozenset(words.split()) for language, words in COMMON.items()}


_local = threading.local()


def words(text: str) -> Iterator[str]:
    """The words of a text, folded: without case, accents and apostrophes."""
    return iter(_words(text))


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[str, ...]:
    """Each save of a record needs its words for the dictionary and for its terms."""
    return tuple(found[0][:LONGEST] for found in _WORD.finditer(folded(text)))


def folded(text: str) -> str:
    """The text without case, accents and compatibility forms."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = _ACCENTS.sub("", decomposed).translate(_PLAIN).casefold()
    return unicodedata.normalize("NFC", plain)


@lru_cache(maxsize=65_536)
def stem(word: str, language: str) -> str:
    """The stem that a folded word shares with its other forms; `language` is like pt-BR."""
    name = STEMMERS.get(_primary(language))
    if name is None:
        return word
    stemmers = _local.__dict__.setdefault("stemmers", {})  # one per thread: it holds a word
    if name not in stemmers:
        stemmers[name] = snowballstemmer.stemmer(name)
    return str(stemmers[name].stemWord(word)) or word


def is_common(word: str, language: str) -> bool:
    """Whether a folded word says nothing in the language."""
    return word in _COMMON.get(_primary(language), frozenset())


@lru_cache(maxsize=256)
def _primary(language: str) -> str:
    return language.partition("-")[0].lower()


def tag_key(name: str) -> str:
    """The key that all spellings of a tag share: its words, or the quoted tag if it has none."""
    key = " ".join(words(name))[:LONGEST_TAG]
    # quote leaves a tilde as it is, which ends terms in the keys of the index
    return key or quote(name.strip(), safe="", errors="replace").replace("~", "%7E")[:99]

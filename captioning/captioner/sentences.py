"""Where the first sentence of a text ends, by Wikimedia's `sentencex`, which knows abbreviations.

Its lists lack some that stand in captions: a boundary behind one of those is none.
"""

from __future__ import annotations

import re

from sentencex import segment

LEAST_WORDS = 2
"""Words of a first sentence: what is shorter was cut at something that ends no sentence."""
_QUOTED = re.compile(r'“[^”]{2,}”|"[^"]{2,}"|«[^»]{2,}»|„[^“”]{2,}[“”]|「[^」]{2,}」')
_SINGLE_QUOTED = re.compile(r"(?<!\w)['‘][^'’]{2,}['’](?!\w)")
_NO_END = re.compile(
    r"(?:\b[IVXLC]+|\b\w|\w\.\w|\b(?:mme|mlle|mgr|dr|sr|sra|dhr|mw|hr|fr|frl|prof|no|nr|num|núm|"
    r"st|sto|sta|ste|ing|lic|vs|etc|mt|ft|jr|inc|co|ltd|approx|ca|bzw|usw|fig|abb|p\.ej|av|avda|"
    r"pl|pza|ave|blvd|rd|capt|sgt|lt|col|gen|gov|sen|rep|rev|hon|pres))\.\s*$",
    re.IGNORECASE,
)


def first_sentence(text: str, language: str = "en") -> str:
    """The text up to the end of its first sentence; a quotation may hold several. The whole text
    where that would leave a stump."""
    masked = _QUOTED.sub(_mask, text)
    masked = _SINGLE_QUOTED.sub(_mask, masked).replace("…", ".")
    end = 0
    for part in segment(language.partition("-")[0].lower(), masked):
        end += len(part)
        rest = masked[end:].lstrip(" \"'“‘«„(¿¡[")
        if _NO_END.search(masked[:end]) or rest[:1].islower() or rest[:1].isdigit():
            continue
        break
    first = text[:end].rstrip()
    is_stump = len(first.split()) < LEAST_WORDS and _is_spaced(text)
    return text if is_stump or not first else first


def _mask(quote: re.Match[str]) -> str:
    """A quotation without stops, except one at its end."""
    return f"x{'x' * (len(quote[0]) - 3)}{quote[0][-2:]}"


def _is_spaced(text: str) -> bool:
    """Whether words are separated by blanks."""
    return any(char.isspace() for char in text.strip())

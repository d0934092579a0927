"""Groups of English words that tell how a caption is to be read."""

from __future__ import annotations

_GROUPS = {
    "colours": "red orange yellow green blue purple violet pink brown black white gray grey beige "
    "turquoise teal maroon golden silver gold navy cyan magenta",
    "greys": "black white gray grey silver",
    "numbers": "two three four five six seven eight nine ten eleven twelve",
    "negations": "no without not neither nor never isn't aren't lacks lacking",
    "ends of a negation": ". , ; : ! ? ( ) – — but with while that which in on at under near and",
    "before nouns": "a an the his her its their this that these those some many several both of in "
    "on at with without by near under over from into onto behind beside against through and or no",
    "sex and age": "man woman boy girl child baby male#2 female#2 male female",
    "kinds that come together": "person clothing garment food food#2 furniture plant",
    "body": "face head hair eye ear nose mouth lip tooth tongue chin neck shoulder arm elbow hand "
    "finger thumb fist wrist chest waist leg knee foot toe skin beard mustache eyebrow forehead "
    "cheek smile paw claw tail wing feather beak horn antler mane fur hoof whisker snout muzzle "
    "trunk tusk fin body back coat stripe spot",
}
_PLURALS = (
    "people=person men=man women=woman children=child feet=foot teeth=tooth geese=goose mice=mouse "
    "oxen=ox leaves=leaf knives=knife wolves=wolf shelves=shelf loaves=loaf scarves=scarf "
    "calves=calf halves=half cacti=cactus fungi=fungus dice=die bookshelves=bookshelf hooves=hoof "
    "wives=wife thieves=thief"
)


def _group(name: str) -> frozenset[str]:
    return frozenset(_GROUPS[name].split())


COLOURS, GREYS = _group("colours"), _group("greys")
NUMBERS = {word: n for n, word in enumerate(_GROUPS["numbers"].split(), start=2)}
NEGATIONS, NEGATION_ENDS = _group("negations"), _group("ends of a negation")
BEFORE_NOUNS = _group("before nouns") | COLOURS | NUMBERS.keys()
BODY = _group("body")
"""Parts of whoever is seen: no service lists them."""
SEX_AND_AGE = _group("sex and age")
TOGETHER = _group("kinds that come together")
"""Of which a picture often shows several: one that was recognised does not exclude another."""
PLURALS = dict(pair.split("=") for pair in _PLURALS.split())
"""Those that no rule makes."""

"""A controlled vocabulary: what its file may say, and what it makes of tags."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.domain.record import Tag
from captioning.records.tag_vocabulary import NO_VOCABULARY, Vocabulary, parse

FILE = """
# animals
dog: dogs, Puppy ,  canine
Golden  Retriever : retriever
beach

!indoor, outdoor
! text
"""


def tags(**confidences: float) -> tuple[Tag, ...]:
    return tuple(Tag(name.replace("_", " "), of) for name, of in confidences.items())


def test_aliases_become_one_tag_with_the_highest_confidence() -> None:
    made = parse(FILE).normalised(tags(dogs=0.7, PUPPY=0.9, sky=0.8, Beach=0.95, dog=0.6))
    assert made == tags(beach=0.95, dog=0.9, sky=0.8)


def test_a_name_is_spelled_as_in_the_file() -> None:
    assert parse(FILE).normalised(tags(RETRIEVER=0.5)) == (Tag("Golden Retriever", 0.5),)


def test_the_stop_list_leaves_tags_out() -> None:
    assert parse(FILE).normalised(tags(Indoor=0.9, text=0.8, sky=0.7)) == tags(sky=0.7)


def test_a_star_keeps_what_is_listed_only() -> None:
    assert parse(f"{FILE}\n*").normalised(tags(sky=0.9, puppy=0.8)) == tags(dog=0.8)


def test_two_spellings_of_an_unlisted_tag_are_one() -> None:
    assert parse(FILE).normalised(tags(Café=0.5, cafe=0.7)) == (Tag("Café", 0.7),)


def test_without_a_vocabulary_tags_are_as_they_come() -> None:
    assert NO_VOCABULARY.normalised(tags(b=0.1, B=0.9)) == tags(b=0.1, B=0.9)
    assert NO_VOCABULARY.digest is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no tag: write one per line, or leave the setting empty"),
        ("# nothing\n\n*", "names no tag: write one per line, or leave the setting empty"),
        ("dog:", "line 1 has an empty name: write `tag: alias, alias`, `tag` or `!tag, tag`"),
        (": dog", "line 1 has an empty name: write `tag: alias, alias`, `tag` or `!tag, tag`"),
        (
            "\ndog: a,,b",
            "line 2 has an empty name: write `tag: alias, alias`, `tag` or `!tag, tag`",
        ),
        ("!", "line 1 has an empty name: write `tag: alias, alias`, `tag` or `!tag, tag`"),
        ("dog\nDÖG: x", "line 2 repeats a name of line 1: keep one of them"),
        ("dog: cat\n!cat", "line 2 repeats a name of line 1: keep one of them"),
        ("x" * 101, "line 1 has a name of more than 100 characters: shorten it"),
        ("do\u200bg", "line 1 has a character that cannot be seen: remove it"),
        ("dog: !cat", "line 1 has `!`, `*`, `#` or `:` where a name should be: remove it"),
    ],
)
def test_a_bad_line_is_named_and_not_quoted(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse(text)


def test_many_bad_lines_are_counted() -> None:
    with pytest.raises(ValueError, match=r"^line 1 .*; line 2 .*; line 3 .*; and 97 more$"):
        parse("dog:\n" * 100)


def test_the_digest_is_of_what_it_does() -> None:
    same = parse("!text,  outdoor , indoor\nbeach\ngolden retriever\ndog: puppy, dogs, canine")
    shuffled = parse(
        "dog: canine, puppy, dogs\n# a comment\nbeach\n!indoor\n!outdoor, text\ngolden retriever"
    )
    assert same.digest == shuffled.digest
    others = [parse(FILE), parse(f"{FILE}*"), parse(f"{FILE}cat"), parse(f"{FILE}!cat")]
    assert len({vocabulary.digest for vocabulary in others}) == 4


names = st.text("abAB é!:#,*\n", min_size=1, max_size=20)


@given(st.lists(names, max_size=5), st.lists(st.tuples(names, st.floats(0, 1)), max_size=8))
def test_tags_are_normal_once_they_are_normalised(
    lines: list[str], given_tags: list[tuple[str, float]]
) -> None:
    try:
        vocabulary = parse("\n".join(lines))
    except ValueError:
        vocabulary = NO_VOCABULARY
    made = vocabulary.normalised(tuple(Tag(name, of) for name, of in given_tags))
    assert vocabulary.normalised(made) == made


def test_completion_is_by_what_a_search_takes_for_one() -> None:
    vocabulary: Vocabulary = parse("Élan\ndog\ndonkey: donkeys\ncat")
    assert vocabulary.beginning("DO") == ["dog", "donkey"]
    assert vocabulary.beginning("el") == ["Élan"]
    assert vocabulary.beginning("") == ["cat", "dog", "donkey", "Élan"]

"""The evaluation: what counts as invented, misquoted, another language; and a run of it all."""

from __future__ import annotations

import json
import re

import pytest

from bench.quality import evaluate
from bench.quality.golden import (
    Golden,
    GoldenSet,
    is_in_the_picture,
    language_of,
    quotations,
    words_told,
)
from bench.quality.score import Score, rows
from bench.quality.score import report as table
from captioning.config.settings import Settings
from captioning.domain.record import Captioning, CaptionText
from testing.factories.settings import EMBEDDED
from testing.markdown import CAPTIONS, section
from testing.paths import ROOT
from testing.services.both import LocalServices, is_chat
from testing.services.chat import KEY as CHAT_KEY
from testing.services.server import Reply, WireServer
from testing.services.vision_clients import KEY as VISION_KEY

GOLDEN = GoldenSet()
PICTURES = {picture.file: picture for picture in GOLDEN.pictures}
COFFEE, SIGN, PAGE = (PICTURES[f"{name}.jpg"] for name in ("coffee", "sign", "page"))

ALONE = {
    "VISION_PROVIDER": "none",
    "CAPTION_PROVIDER": "openai",
    "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
}


def said(caption: str, alt_text: str = "") -> CaptionText:
    return CaptionText(caption, alt_text or caption)


def judged(picture: Golden, *texts: CaptionText, language: str = "en") -> Score:
    score = Score(pictures=len(texts))
    for text in texts:
        score.add(GOLDEN, picture, Captioning("m", {language: text}))
    return score


def test_every_picture_is_there_with_a_licence_and_labels_of_the_vocabulary() -> None:
    licences = (ROOT / "samples/README.md").read_text("utf-8")
    assert PICTURES.keys() == {file.name for file in evaluate.SAMPLES.glob("*.jpg")}
    for picture in GOLDEN.pictures:
        assert f"| {picture.file} |" in licences
        assert picture.objects
        assert picture.objects | picture.may <= GOLDEN.vocabulary.keys()
        assert not picture.objects & picture.may


def test_no_word_of_the_vocabulary_stands_for_two_objects() -> None:
    forms = [form for name, others in GOLDEN.vocabulary.items() for form in (name, *others)]
    assert len(forms) == len(set(forms))


@pytest.mark.parametrize(
    ("caption", "invented"),
    [
        ("A cup of espresso on a red saucer.", set()),
        ("Mugs and spoons on a desk beside two Dogs.", {"dog"}),
        ("A woman drinks tea by the window.", {"person", "window"}),
        ("A scanned form in a carpark.", set()),
        ('A cup with the words "the cat" on it.', set()),
    ],
)
def test_an_object_that_is_not_labelled_is_invented(caption: str, invented: set[str]) -> None:
    assert GOLDEN.invented(caption, COFFEE) == invented


def test_what_the_text_in_the_picture_tells_of_is_not_invented() -> None:
    assert GOLDEN.invented("A page about a lighthouse and a ship.", PAGE) == set()
    assert GOLDEN.invented("A page about a horse.", PAGE) == {"horse"}


@pytest.mark.parametrize(
    ("quotation", "is_there"),
    [
        ("HARBOUR BAKERY", True),
        ("Harbour Bakery – Fresh bread every day!", True),
        ("HARBOR BAKERY", True),
        ("OPEN 7-17", True),
        ("HARBOUR BREWERY", False),
        ("CLOSED", False),
        ("Fresh fish every day of the year", False),
    ],
)
def test_a_quotation_is_in_the_picture_but_for_a_letter(quotation: str, is_there: bool) -> None:
    assert is_in_the_picture(quotation, SIGN) is is_there


def test_quotations_of_every_kind_are_found() -> None:
    text = "“one” and \"two\" and „drei“ and «quatre» and 'five', the dog's not 6'"
    assert quotations(text) == ["one", "two", "drei", "quatre", "five"]


def test_short_text_is_to_be_told_and_a_page_of_print_is_not() -> None:
    told, wanted = words_told(said('A shop, "Harbour Bakery".'), SIGN)
    assert (told, wanted) == (2, 9)
    assert words_told(said("A page."), PAGE) == (0, 3)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A dog runs on the beach with a ball.", "en"),
        ("Ein Hund läuft mit dem Ball auf einer Wiese.", "de"),
        ("Un chien court sur la plage avec une balle.", "fr"),
        ("Un perro corre por el campo con una pelota.", "es"),
        ("Dog.", None),
        ('Ein Schild, auf dem "this is the end of the road" steht.', "de"),
    ],
)
def test_a_language_gives_itself_away(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_the_score_of_good_and_bad_texts() -> None:
    score = judged(SIGN, said('A shop with a sign, "HARBOUR BAKERY".'), said("Photo of a dog."))
    told = rows(score)
    assert told["invented objects, of those mentioned"] == "33% (1/3)"
    assert told["captions that invent"] == "50% (1/2)"
    assert told["labelled objects mentioned"] == "25% (2/8)"
    assert told["quotations not in the picture"] == "0% (0/2)"
    assert told["banned openings"] == "50% (1/2)"
    assert score.invented == ["dog (sign.jpg)"]


def test_objects_are_judged_in_english_and_form_in_any_language() -> None:
    score = judged(COFFEE, said("Der Hund ist auf dem Tisch."), language="de")
    assert (score.mentions, score.other_language, score.texts) == (0, 0, 1)
    assert judged(COFFEE, said("Der Hund ist auf dem Tisch.")).other_language == 1


@pytest.fixture(scope="module")
def report() -> str:
    """Of the local services: Vision 4.0 and a model, both at the wire, one call in vain."""
    with WireServer(LocalServices()) as server:
        settings = Settings.from_environ(
            {
                **EMBEDDED,
                "VISION_PROVIDER": "azure",
                "VISION_ENDPOINT": server.url,
                "VISION_KEY": VISION_KEY,
                "CAPTION_PROVIDER": "openai",
                "OPENAI_BASE_URL": f"{server.url}/v1",
                "OPENAI_API_KEY": CHAT_KEY,
                "CAPTION_LANGUAGES": "en,de",
            }
        )
        server.faults.append(Reply(429))
        told = table(list(evaluate.evaluate(settings)))
        vision = [request for request in server.received if not is_chat(request)]
        assert len(vision) == 1 + len(PICTURES), "once a picture, but for the one in vain"
        assert CHAT_KEY not in told
    return told


def test_every_input_is_measured(report: str) -> None:
    heading, _, *lines = report.splitlines()
    assert heading == "| | `image+tags` | `image` | `tags` |"
    table = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in lines}
    assert table["pictures"] == ["8"] * 3
    assert table["failed"] == ["1 throttled", "0", "0"]
    usd = [float(found) for found in table["USD a thousand pictures"]]
    assert min(usd) > 3, "Vision is paid for in every one"


def test_the_documentation_explains_every_row() -> None:
    page = section(CAPTIONS, "Evaluation")
    told = rows(Score(pictures=1))
    for name in told:
        assert len(re.findall(rf"^\| {name} \| ", page, re.MULTILINE)) == 2, name


def test_what_services_cannot_be_given_is_left_out() -> None:
    embedded = Settings.from_environ(EMBEDDED)
    alone = Settings.from_environ({**EMBEDDED, **ALONE})
    assert list(evaluate.evaluate(embedded, ["image"])) == []
    assert list(evaluate.evaluate(alone, ["tags"])) == []
    assert "none of the inputs" in table([])


def test_an_input_that_there_is_not_is_named() -> None:
    with pytest.raises(SystemExit, match="pixels: must be of"):
        evaluate.main(["pixels"])


def test_the_labels_are_json_of_one_form() -> None:
    found = json.loads((ROOT / "bench/quality/golden.json").read_text("utf-8"))
    assert found.keys() == {"about", "vocabulary", "pictures"}
    assert all(p.keys() == {"file", "objects", "may", "text"} for p in found["pictures"])

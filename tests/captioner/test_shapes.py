"""Every shape of an answer that models and servers are known to give, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from captioning import errors
from captioning.captioner.client import OpenAICaptioner
from captioning.domain.record import Captioning
from captioning.images.rendition import Rendition
from testing.fakes.calls import RecordedCalls
from testing.services.chat import KEY, ChatService
from testing.services.chat_replies import completion
from testing.services.server import Reply, WireServer

IMAGE = Rendition(b"\xff\xd8\xff\xe0" + b"picture" * 20, "image/jpeg", 64, 48, 1, (640, 480))
DOG, CAT = "A dog runs on a beach.", "A cat, perhaps."
LONG = "A brown dog runs along a beach."
FORM = {"caption": "the caption", "alt_text": "the alt_text", "description": "the description"}


def texts(caption: Any = DOG, alt_text: Any = DOG, description: Any = LONG) -> dict[str, Any]:
    return {"caption": caption, "alt_text": alt_text, "description": description}


def answer(*given: Any, language: str = "en", decorative: Any = False, **changes: Any) -> str:
    said = {**texts(*given), **changes}
    return json.dumps({"decorative": decorative, "texts": {language: said}}, ensure_ascii=False)


RIGHT = answer()


@dataclass
class Model:
    """A captioner, and the script of the model behind it."""

    service: ChatService
    server: WireServer
    languages: tuple[str, ...] = ("en",)

    def says(self, *said: str | Reply) -> None:
        self.service.script.clear()
        self.service.script.extend(said)

    def caption(self, calls: RecordedCalls | None = None) -> Captioning:
        made = OpenAICaptioner(
            base_url=f"{self.server.url}/openai/v1/",
            api_key=KEY,
            model="gpt-4o-mini",
            languages=self.languages,
        )
        try:
            return made.caption(IMAGE, None, calls or RecordedCalls())
        finally:
            made.close()


@pytest.fixture
def model() -> Iterator[Model]:
    service = ChatService()
    with WireServer(service) as server:
        yield Model(service, server)


WHOLE = {
    "plain": RIGHT,
    "in a fence": f"```json\n{RIGHT}\n```",
    "with words around it": f"Sure, here it is:\n{RIGHT}\nIs that all right?",
    "a draft in a thought": f"<think>First: {answer(CAT, CAT)} No, a dog.</think>{RIGHT}",
    "the form in a thought": f"<think>{answer(**FORM)}</think>{RIGHT}",
    "a thought without its beginning": f"It is {answer(CAT, CAT)} no.</think>\n{RIGHT}",
    "a thought in brackets": f"[THINK]{answer(CAT, CAT)}[/THINK]{RIGHT}",
    "two thoughts": f"<think>{answer(CAT)}</think>{answer(CAT)}<think>no</think>{RIGHT}",
    "the last of two": answer(CAT, CAT) + RIGHT,
    "a channel": f"<|channel|>analysis<|message|>{answer(CAT)}<|channel|>final<|message|>{RIGHT}",
    "a description that is null": answer(DOG, DOG, None),
    "a description that is missing": json.dumps(
        {"texts": {"en": {"caption": DOG, "alt_text": DOG}}}
    ),
    "decorative is null": answer(decorative=None),
    "decorative is a word": answer(decorative="false"),
    "a list of one caption": answer([DOG]),
    "a line break in a string": RIGHT.replace("runs on", "runs\non"),
    "a tab in a string": RIGHT.replace("runs on", "runs\ton"),
    "a trailing comma": RIGHT.replace("}}}", "},}}"),
    "a comment": RIGHT.replace("{", "{ // the answer\n", 1),
    "single quotes": RIGHT.replace('"', "'"),
    "keys without quotes": RIGHT.replace('"decorative"', "decorative").replace('"texts"', "texts"),
    "capital keys": RIGHT.replace("caption", "Caption").replace("texts", "Texts"),
    "other names": RIGHT.replace("alt_text", "altText"),
    "a language in capitals": answer(language="EN"),
    "a region": answer(language="en-US"),
    "the name of the language": answer(language="English"),
    "inside another object": f'{{"answer": {RIGHT}}}',
    "inside the name of the schema": f'{{"picture_caption": {RIGHT}}}',
    "without texts": json.dumps({"decorative": False, **texts()}),
    "texts without a language": json.dumps({"decorative": False, "texts": texts()}),
    "a list of languages": json.dumps({"texts": [{"language": "en", **texts()}]}),
    "more than was asked for": RIGHT[:-1] + ', "confidence": 0.9}',
    "more languages than were asked for": json.dumps(
        {"texts": {"fr": texts("Un chien.", "Un chien.", ""), "en": texts()}}
    ),
    "a byte order mark": "\ufeff" + RIGHT,
}
"""Answers that hold the caption, whatever is around it; each is asked for once."""


@pytest.mark.parametrize("shape", WHOLE)
def test_a_whole_answer_is_read_whatever_its_shape(model: Model, shape: str) -> None:
    model.says(WHOLE[shape])
    made = model.caption()
    assert made.texts["en"].caption == DOG
    assert made.texts["en"].alt_text == DOG
    assert made.note is None
    assert len(model.server.received) == 1


FAULTY = {
    "no alternative text": answer(DOG, None),
    "refused in the alternative text": answer(DOG, "I'm sorry, I can't help with that."),
    "markup": answer("**A dog** runs on a <b>beach</b>."),
    "a label": answer(f"Caption: {DOG}"),
    "quotes around it": answer(f"“{DOG}”"),
    "a token of the model": answer(f"{DOG}<|im_end|>"),
    "hashtags": answer(f"{DOG} #dog #beach"),
    "an image in HTML": answer(f'<img alt="{DOG}">'),
    "an opening": answer("This is a photo of a dog.", "Image may contain: dog"),
    "an opening that sees": answer("In this image, we can see a dog."),
    "an opening in German": answer("Das Bild zeigt einen Hund."),
    "a name of a file": answer(DOG, "IMG_1234.JPG"),
    "not available": answer(DOG, "N/A"),
    "a loop": answer("a dog on a beach, " * 12),
    "a long loop": answer("a dog on a beach, " * 200),
    "another language": answer("Ein Hund läuft am Strand.", "Ein Hund läuft am Strand."),
    "two sentences": answer(DOG, f"{DOG} A cat sleeps."),
    "nothing": "",
    "a refusal without JSON": "I'm sorry, I can't assist with that.",
    "half an answer": RIGHT[: len(RIGHT) // 2],
    "the form alone": answer(**FORM),
    "a thought without an end": f"<think>Perhaps {answer(CAT, CAT)}",
    "a refusal": answer("I'm sorry, I can't assist with that.", "I'm sorry, I can't."),
    "a refusal in German": answer("Es tut mir leid, dabei kann ich nicht helfen."),
    "no picture": answer("Please provide the image you would like me to describe."),
    "nothing to say": answer("N/A", "null", "Untitled"),
}
"""Answers that are asked for again."""


@pytest.mark.parametrize("shape", FAULTY)
def test_a_faulty_answer_is_asked_for_again(model: Model, shape: str) -> None:
    model.says(FAULTY[shape], RIGHT)
    made = model.caption()
    assert (made.texts["en"].caption, made.note) == (DOG, None)
    assert len(model.server.received) == 2


MENDED = {
    "markup": (answer("**A dog** &amp; a <b>ball</b>.", DOG), "A dog & a ball."),
    "a bullet": (answer("- A dog."), "A dog."),
    "an opening": (answer("The photograph captures a dog."), "A dog."),
    "an opening that sees": (answer("In this image, we can see a dog."), "A dog."),
    "an opening in French": (answer("Photo d'un chien."), "Un chien."),
    "a label": (answer("Sure! Here's a caption: A dog."), "A dog."),
    "a box": (answer("<ref>A dog</ref><box>(1,2),(3,4)</box> runs."), "A dog runs."),
}


@pytest.mark.parametrize("shape", MENDED)
def test_what_stays_faulty_is_mended_where_its_meaning_stays(model: Model, shape: str) -> None:
    said, caption = MENDED[shape]
    model.says(said, said)
    assert model.caption().texts["en"].caption == caption


KEPT = {
    "an opening in German": answer("Das Bild zeigt einen Hund.", "Ein Hund."),
    "a loop": answer("a dog on a beach, " * 12),
    "another language": answer("Ein Hund läuft am Strand.", "Ein Hund läuft am Strand."),
}


@pytest.mark.parametrize("shape", KEPT)
def test_what_cannot_be_mended_is_kept_with_a_note(model: Model, shape: str) -> None:
    model.says(KEPT[shape], KEPT[shape])
    made = model.caption()
    assert made.texts["en"].caption
    assert made.note
    assert "break rules" in made.note


def test_the_same_text_in_two_languages_is_told(model: Model) -> None:
    model.languages = ("en", "de")
    both = json.dumps({"texts": {"en": texts(), "de": texts()}})
    model.says(both, both)
    made = model.caption()
    assert made.note
    assert "(de) are those of another language" in made.note


def test_one_null_does_not_lose_a_language(model: Model) -> None:
    model.languages = ("en", "de")
    german = texts("Ein Hund läuft am Strand.", "Ein Hund läuft am Strand.", None)
    model.says(json.dumps({"decorative": False, "texts": {"en": texts(), "de": german}}))
    made = model.caption()
    assert (list(made.texts), made.note) == (["en", "de"], None)
    assert len(model.server.received) == 1


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (answer("I'm sorry, I can't assist with that."), errors.ContentFiltered, "declines"),
        (answer("Lo siento, no puedo ayudar."), errors.ContentFiltered, "declines"),
        (answer("申し訳ありませんが、お手伝いできません。"), errors.ContentFiltered, "declines"),
        (answer("As an AI, I cannot see images."), errors.BadResponse, "sees no picture"),
        (answer("Please upload the picture."), errors.BadResponse, "sees no picture"),
        (answer("Ich kann kein Bild sehen."), errors.BadResponse, "sees no picture"),
        (answer("N/A", "null"), errors.BadResponse, "twice"),
        (answer("IMG_1234.JPG", "IMG_1234.JPG"), errors.BadResponse, "twice"),
        (answer(**FORM), errors.BadResponse, "twice"),
        ("I'm sorry, I can't assist with that.", errors.BadResponse, "twice"),
        ("[]", errors.BadResponse, "twice"),
        ("", errors.BadResponse, "twice"),
    ],
)
def test_what_describes_nothing_is_never_a_caption(
    model: Model, said: str, kind: type[errors.CaptioningError], words: str
) -> None:
    model.says(said, said)
    with pytest.raises(kind, match=words) as caught:
        model.caption()
    assert type(caught.value) is kind
    assert len(model.server.received) == 2


@pytest.mark.parametrize(
    "said",
    [
        "A sign says “I'm sorry”.",
        "Sorry we're closed, says a sign on a door.",
        "A person cannot see the picture behind the wall.",
        "No dogs allowed, says a sign.",
        "The image on the wall is of a dog.",
        "Please keep off the grass, says a sign.",
        "すみませんと書かれた看板。",
        "A dog_with_underscores & a cat, 5 < 6.",
        "A screen says “<b>Tom</b> &amp; **Jerry**”.",
        "1. FC Köln fans wave.",
    ],
)
def test_a_caption_that_only_sounds_like_it_is_taken(model: Model, said: str) -> None:
    model.says(answer(said, "A sign."))
    assert model.caption().texts["en"].caption == said
    assert len(model.server.received) == 1


@pytest.mark.parametrize(
    ("language", "alt_text"),
    [
        ("en", "Sen. Smith speaks at a podium."),
        ("en", "Portrait of Sgt. Miller in uniform."),
        ("en", "A man dressed as Capt. Kirk stands on a stage."),
        ("en", "Street sign reading Ave. Foch."),
        ("en", "A sign says 'Stop. Look. Listen.' beside rails."),
        ("en", "A Yahoo! Sign on a building."),
        ("de", "Am 24. Dezember brennt eine Kerze."),
        ("de", "Ein Hund sitzt neben Hr. Schmidt."),
        ("es", "El Sr. López y la Sra. Díaz."),
        ("fr", "Mme. Dupont et M. Durand."),
        ("tr", "II. Abdülhamit portresi."),
        ("nl", "Dhr. Jansen zit op een bank."),
    ],
)
def test_abbreviations_and_numerals_end_no_sentence(
    model: Model, language: str, alt_text: str
) -> None:
    model.languages = (language,)
    model.says(answer(alt_text, alt_text, "", language=language))
    assert model.caption().texts[language].alt_text == alt_text
    assert len(model.server.received) == 1


def reply(content: Any, usage: Any = None, **changes: Any) -> Reply:
    """A completion with whatever stands in its places."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **changes}
    body: dict[str, Any] = {"model": "m", "choices": [choice], "usage": usage}
    return Reply(200, body)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0)),
        ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, (0, 0)),
        ({"prompt_tokens": 50.5, "completion_tokens": 3}, (51, 3)),
        ({"prompt_tokens": -3_000, "completion_tokens": 7}, (0, 7)),
        ({"prompt_tokens": "12", "completion_tokens": True}, (0, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": []}, (9, 2)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "completion_tokens_details": None}, (9, 2)),
        ([], (0, 0)),
        ("none", (0, 0)),
    ],
)
def test_a_usage_that_is_none_loses_no_answer(
    model: Model, usage: Any, tokens: tuple[int, int]
) -> None:
    model.says(reply(RIGHT, usage))
    calls = RecordedCalls()
    assert model.caption(calls).texts["en"].caption == DOG
    assert [(bill.input_tokens, bill.output_tokens) for bill in calls.bills] == [tokens]


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": RIGHT}],
        [{"type": "text", "text": RIGHT[:40]}, {"type": "text", "text": RIGHT[40:]}],
        [{"type": "thinking", "thinking": []}, {"type": "text", "text": RIGHT}],
        [RIGHT],
    ],
)
def test_text_in_parts_is_joined(model: Model, content: Any) -> None:
    model.says(reply(content))
    assert model.caption().texts["en"].caption == DOG


@pytest.mark.parametrize("content", [None, 5, {}, [], [{"type": "image"}], "   "])
def test_what_is_answered_and_not_understood_is_billed_and_no_outage(
    model: Model, content: Any
) -> None:
    paid = {"prompt_tokens": 10, "completion_tokens": 1}
    model.says(reply(content, paid), reply(content, paid))
    calls = RecordedCalls()
    with pytest.raises(errors.BadResponse):
        model.caption(calls)
    assert [bill.input_tokens for bill in calls.bills] == [10, 10]


def test_a_whole_answer_at_the_limit_of_tokens_is_taken(model: Model) -> None:
    model.says(completion(RIGHT, finish="length"))
    assert model.caption().texts["en"].caption == DOG
    assert len(model.server.received) == 1

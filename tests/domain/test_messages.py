"""Messages of the queues: what is sent is what is read."""

from __future__ import annotations

import json

import pytest

from captioning.domain.messages import CaptionMessage

MESSAGES = [
    CaptionMessage("a.jpg"),
    CaptionMessage("ü\ud800.jpg", ticket="worker/1", afresh="1", renew="texts"),
    CaptionMessage("a.jpg", renew="tags"),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_what_is_sent_is_what_is_read(message: CaptionMessage) -> None:
    assert CaptionMessage.from_json(message.to_json()) == message


def test_a_message_of_another_version_is_read_as_far_as_it_is_known() -> None:
    older, newer = '{"path": "a.jpg"}', '{"path": "a.jpg", "colour": 1}'
    assert CaptionMessage.from_json(older) == CaptionMessage.from_json(newer) == MESSAGES[0]


@pytest.mark.parametrize("wrong", [{"renew": "all"}, {"renew": []}, {"ticket": 1}, {"path": None}])
def test_what_is_none_of_ours_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="`"):
        CaptionMessage.from_json(json.dumps({"path": "a.jpg"} | wrong))

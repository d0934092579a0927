"""What a delivery consists of, and the settings behind it."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.cli.check import SECRETS
from captioning.config.settings import Settings
from captioning.domain.messages import NotificationMessage
from captioning.errors import SettingsError
from captioning.webhook.payload import Delivery, key_of, signed
from testing.factories.records import FULL, START, short
from testing.factories.settings import EMBEDDED
from testing.fakes.webhook_receiver import KEY, SECRET

OTHER = "whsec_" + b64encode(b"o" * 32).decode()
URL = "https://receiver.example/s3cret-path?code=s3cret"


def test_a_signature_is_the_one_of_the_specifications_libraries() -> None:
    """Key, content and signature are the example of their documentation."""
    body = b'{"test": 2432232314}'
    made = signed(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", ["captioned", "rejected", "failed"])
def test_a_delivery_tells_the_record_as_the_api_does(status: Any) -> None:
    record = replace(FULL, status=status)
    made = Delivery.of(record, (KEY,), START)
    document = record.to_json()
    assert json.loads(made.body) == {
        "type": f"image.{status}",
        "timestamp": document["updated"],
        "data": document,
    }
    assert made.headers["webhook-id"] == made.identity
    assert made.headers["webhook-timestamp"] == f"{START.timestamp():.0f}"
    assert made.body.isascii()


def test_a_record_has_the_same_identity_at_every_attempt_and_a_changed_one_another() -> None:
    record = short("a.jpg")
    first = Delivery.of(record, (KEY,), START)
    again = Delivery.of(record, (KEY,), START + timedelta(hours=1))
    assert (first.identity, first.body) == (again.identity, again.body)
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]
    others = [
        short("b.jpg"),
        replace(record, updated=START + timedelta(microseconds=1)),
        replace(record, image=replace(record.image, etag='"2"')),
    ]
    identities = {Delivery.of(other, (KEY,), START).identity for other in others}
    assert len(identities | {first.identity}) == 4


def test_each_key_signs_while_a_receiver_changes_its_own() -> None:
    new = key_of(OTHER)
    both = Delivery.of(FULL, (new, KEY), START).headers["webhook-signature"].split(" ")
    alone = [Delivery.of(FULL, (k,), START).headers["webhook-signature"] for k in (new, KEY)]
    assert both == alone


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\n"])
def test_the_settings_name_an_address_and_keys(separator: str) -> None:
    given = {**EMBEDDED, "NOTIFY_URL": URL, "NOTIFY_KEY": f"{OTHER}{separator}{SECRET}"}
    webhook = Settings.from_environ(given).webhook
    assert webhook
    assert (webhook.url, webhook.keys) == (URL, (b"o" * 32, KEY))
    assert "s3cret" not in repr(webhook)


def test_without_an_address_nobody_is_told() -> None:
    assert Settings.from_environ({**EMBEDDED, "NOTIFY_KEY": SECRET}).webhook is None


def test_both_are_secrets_for_the_check() -> None:
    assert {"NOTIFY_URL", "NOTIFY_KEY"} <= SECRETS


@pytest.mark.parametrize(
    "url",
    [
        *("http://s3cret.example", "ftp://s3cret", "s3cret", "//s3cret", "https://"),
        *("https://u:s3cret@a.example/", "https://s3cret.example/#x", "https://a.example/s3cret x"),
        *("https://a.example/?s3cret=é", "https://a.example\\@s3cret/", "http://10.0.0.1/s3cret"),
    ],
)
def test_a_bad_address_is_named_without_its_value(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({**EMBEDDED, "NOTIFY_URL": url, "NOTIFY_KEY": SECRET})
    assert list(caught.value.problems) == ["NOTIFY_URL"]
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/a", "http://localhost/", URL])
def test_addresses_that_are_good(url: str) -> None:
    given = {**EMBEDDED, "NOTIFY_URL": url, "NOTIFY_KEY": SECRET}
    webhook = Settings.from_environ(given).webhook
    assert webhook
    assert webhook.url == url


@pytest.mark.parametrize(
    "key",
    [
        *("", "s3cret", "whsec_", "whsec_s3cret!", "whsec_s3cretlacksitspadding"),
        "whsec_" + b64encode(b"s" * 23).decode(),
        "whsec_" + b64encode(b"s" * 65).decode(),
        f"{SECRET} s3cret",
    ],
)
def test_a_bad_key_is_named_without_its_value(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({**EMBEDDED, "NOTIFY_URL": URL, "NOTIFY_KEY": key})
    assert list(caught.value.problems) == ["NOTIFY_KEY"]
    assert "s3cret" not in str(caught.value)
    assert not key or key not in str(caught.value).replace("whsec_ and", "").replace("whsec_$", "")


@pytest.mark.parametrize(
    "notice",
    [
        NotificationMessage("a.jpg", START),
        NotificationMessage('ü "🏖".jpg', START, attempts=3, since=START),
    ],
)
def test_a_notice_is_read_as_it_was_written(notice: NotificationMessage) -> None:
    assert NotificationMessage.from_json(notice.to_json()) == notice

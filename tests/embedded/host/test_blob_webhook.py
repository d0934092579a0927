"""The Event Grid endpoint of the embedded host."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import azure.functions as func
import pytest

from captioning.embedded.host.blob_trigger import blob_of
from captioning.embedded.host.embedded_host import EmbeddedHost
from testing.harness.embedded_host import HostLab, Recorder, blob_app
from testing.harness.waiting import HUNG_SECONDS, eventually


def notify(
    host: EmbeddedHost, function: str, events: object, kind: str = "Notification"
) -> tuple[int, bytes]:
    """Posts to the blob webhook as Event Grid does."""
    connection = HTTPConnection(host.url.removeprefix("http://"), timeout=HUNG_SECONDS)
    target = f"/runtime/webhooks/blobs?functionName=Host.Functions.{function}&code=k"
    headers = {"aeg-event-type": kind}
    connection.request("POST", target, json.dumps(events), headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def created(host_lab: HostLab, name: str, etag: str) -> dict[str, Any]:
    """A BlobCreated event in Event Grid's schema."""
    url = f"http://127.0.0.1:10000/devstoreaccount1/{host_lab.name}/{quote(name)}"
    data = {"url": url, "eTag": etag, "blobType": "BlockBlob", "api": "PutBlob"}
    return {"eventType": "Microsoft.Storage.BlobCreated", "data": data}


def test_answers_the_handshakes(host_lab: HostLab) -> None:
    host = host_lab.host(blob_app(Recorder(), source=func.BlobSource.EVENT_GRID))
    handshake = [{"eventType": "x", "data": {"validationCode": "512d38b6"}}]
    status, body = notify(host, "caption_image", handshake, "SubscriptionValidation")
    assert (status, json.loads(body)) == (200, {"validationResponse": "512d38b6"})
    connection = HTTPConnection(host.url.removeprefix("http://"), timeout=HUNG_SECONDS)
    headers = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    connection.request("OPTIONS", "/runtime/webhooks/blobs?functionName=x", headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    assert response.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"


def test_runs_for_every_event_and_scans_nothing(host_lab: HostLab) -> None:
    seen, strange = Recorder(), "a%41 #?'\"🐕//x.jpg"
    host_lab.upload("never announced")
    etag, strange_etag = host_lab.upload("plain.jpg"), host_lab.upload(strange)
    host = host_lab.host(
        blob_app(lambda client: seen(client.blob_name), source=func.BlobSource.EVENT_GRID)
    )
    event = created(host_lab, "plain.jpg", etag)
    cloud = {"type": event["eventType"], "specversion": "1.0", "data": event["data"]}
    gone, overwritten = created(host_lab, "gone.jpg", "0x1"), created(host_lab, "plain.jpg", "0x1")
    named = created(host_lab, strange, strange_etag)
    for events in ([event, gone], cloud, [cloud], [overwritten], [named]):
        assert notify(host, "caption_image", events)[0] == 202
    eventually(lambda: len(seen.items) == 5)
    assert sorted(seen.items) == sorted(["plain.jpg"] * 4 + [strange])


def test_a_blob_of_another_container_runs_as_in_the_real_host(
    host_lab: HostLab, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Recorder()
    event = created(host_lab, "a.jpg", host_lab.upload("a.jpg"))
    host_lab.settings["IMAGES_CONTAINER"] = "images-archive"
    host = host_lab.host(
        blob_app(lambda client: seen(client.container_name), source=func.BlobSource.EVENT_GRID)
    )
    assert notify(host, "caption_image", [event])[0] == 202
    eventually(lambda: seen.items == [host_lab.name])
    assert "not of 'images-archive'" in caplog.text


def test_an_event_for_no_function_is_accepted_and_dropped(
    host_lab: HostLab, caplog: pytest.LogCaptureFixture
) -> None:
    host = host_lab.host(blob_app(Recorder(), source=func.BlobSource.EVENT_GRID))
    assert notify(host, "typo", [created(host_lab, "a", host_lab.upload("a"))])[0] == 202
    eventually(lambda: "There is no 'Host.Functions.typo': its event is lost" in caplog.text)


@pytest.mark.parametrize("events", ["text", [1], [{"eventType": "x"}, None]])
def test_a_body_that_is_no_event_is_refused(host_lab: HostLab, events: object) -> None:
    host = host_lab.host(blob_app(Recorder(), source=func.BlobSource.EVENT_GRID))
    assert notify(host, "caption_image", events)[0] == 400


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://acc.blob.core.windows.net/images/a%20b/c.jpg", ("images", "a b/c.jpg")),
        ("http://127.0.0.1:10000/devstoreaccount1/images/%2541", ("images", "%41")),
        ("http://localhost:10000/devstoreaccount1/i/a%23%3Fb", ("i", "a#?b")),
        ("https://acc.blob.core.windows.net/images/a/%2E%2E/b", ("images", "a/../b")),
        ("https://acc.blob.core.windows.net/images//a", ("images", "a")),
    ],
)
def test_reads_the_blob_off_its_url(url: str, expected: tuple[str, str]) -> None:
    assert blob_of(url) == expected

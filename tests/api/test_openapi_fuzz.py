"""The running app against the document that it serves: requests made from that, good and bad.

All checks of schemathesis, but for those that the host makes impossible. The requests are the same
in every run.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import unquote
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.meta import TestPhase

from captioning.api.captions import CaptionApi
from captioning.api.openapi.document import document
from captioning.domain.blobs import name_problem
from captioning.errors import BadRequest
from captioning.records.catalog import Catalog
from captioning.search import cursor
from captioning.search.query import Query
from testing.factories import pictures
from testing.harness.running_app import HOSTS, RunningApp
from testing.harness.storage import blobs_in

SEEDED = ("2026/beach day.jpg", "a.jpg", "ä/犬.png")
NEW = "new.jpg"
"""Put and deleted; the others stay."""
IMAGES = [pictures.oriented(1), pictures.oriented(6, "PNG"), pictures.oriented(1, "WEBP")]
CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 1,
        "generation": {"max-examples": 25, "deterministic": True},
        "checks": {
            # The Functions host answers a wrong method with an empty 404, never 405.
            "unsupported_method": {"enabled": False},
            # No local host enforces keys: neither the embedded one nor `func start`.
            "ignored_auth": {"enabled": False},
            # A condition that does not hold is no fault of the request: as 404 and 409 are not.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "412"]
            },
            # The host's answer to a long request line, before the app sees it.
            "negative_data_rejection": {"expected-statuses": ["400", "404", "414", "415", "428"]},
            # Made for this by RFC 6585.
            "missing_required_header": {"expected-statuses": ["428"]},
        },
    }
)
STORIES = settings(
    max_examples=25,
    stateful_step_count=8,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
READER = CaptionApi(cast(Catalog, None), ("en",))
"""Understands a search as the app does, and asks nobody."""
ANSWERS: Counter[tuple[str, int]] = Counter()
"""By operation and status."""

schemathesis.openapi.media_type("image/*", st.sampled_from(IMAGES))
schema = schemathesis.openapi.from_dict(document(), config=CONFIG)

Case: TypeAlias = "schemathesis.Case[Any]"


@schema.hook
def map_case(_: schemathesis.HookContext, case: Case) -> Case:
    """Makes of good requests such as find something. Bad ones stay as they were drawn."""
    if not _is_good(case):
        return case
    if case.operation.label == "GET /api/captions" and case.query:
        _make_search(case.query)
    if "path" in case.path_parameters:
        _make_found(case)
    for name in {"If-Match", "If-None-Match"} & set(case.headers):
        if crc32(case.headers[name].encode()) % 2:
            case.headers[name] = "*"
    _make_conditional(case)
    return case


def _is_good(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _make_conditional(case: Case) -> None:
    """An upload has one of two headers, which OpenAPI cannot say."""
    if case.operation.label == "PUT /api/images/{path}":
        kept = "If-Match" if "If-Match" in case.headers else "If-None-Match"
        case.headers.pop("If-None-Match", None)
        case.headers.setdefault(kept, "*")


def _make_found(case: Case) -> None:
    """The path of an image that is there, three times of four; and in place of one that the
    document does not refuse for its private-use characters, as that takes tools too long."""
    drawn = unquote(str(case.path_parameters["path"]))
    place = crc32(drawn.encode())
    is_story = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    if name_problem(drawn) or (place % 4 and not is_story):
        kept = (NEW,) if case.method == "DELETE" else (*SEEDED, NEW)
        case.path_parameters["path"] = kept[place // 4 % len(kept)]


def _make_search(query: dict[str, Any]) -> None:
    """Words that are not too many, and a cursor of this search: no schema can say either."""
    while (found := _understood(query)) is None:
        query["q"] = query.get("q", "")[:-5]
        query["tag"] = query.get("tag", [])[:5]
    if "cursor" in query:
        digest = hashlib.sha256(query["cursor"].encode()).hexdigest()
        query["cursor"] = cursor.encode(f"{int(digest, 16) % 10**14:014d}-{digest}~", found)


def _understood(query: dict[str, Any]) -> Query | None:
    """None where it has too many words."""
    given = {name: str(value) for name, value in query.items() if name != "tag"}
    try:
        return READER._query(given, query.get("tag", []))
    except BadRequest as error:
        if error.reason == "bad_q":
            return None
        raise


@pytest.fixture(scope="module", params=HOSTS)
def app(
    request: pytest.FixtureRequest, azurite: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    folder: Path = tmp_path_factory.mktemp("described")
    with RunningApp(request.param, azurite, folder, f"o{uuid.uuid4().hex[:12]}") as running:
        for path in SEEDED:
            running.upload(path, IMAGES[0])
        for path in SEEDED:
            running.record(path)
        yield running


def url(app: RunningApp) -> str:
    return f"http://127.0.0.1:{app.workers[0].port}"


def test_the_app_serves_the_document_that_it_is_tested_by(app: RunningApp) -> None:
    assert json.loads(app.get("/api/openapi.json")[2]) == json.loads(json.dumps(document()))


@schema.parametrize()
def test_every_answer_is_as_described(case: Case, app: RunningApp) -> None:
    if _is_good(case):
        _make_conditional(case)  # no hook sees the examples of the document
    response = case.call_and_validate(base_url=url(app))
    ANSWERS[case.operation.label, response.status_code] += 1


def test_images_live_and_die_as_described(app: RunningApp) -> None:
    """Along the links of the document: what is stored is there, what is deleted is not. Records
    come when their runs do, so that they are no part of the stories."""

    failures: list[FailureGroup] = []
    images = schema.include(path_regex="/images/|/recaption/")

    class Story(images.as_state_machine()):  # type: ignore[misc]  # made from the document
        def setup(self) -> None:
            """Each story begins with the same images: Hypothesis asks for that."""
            super().setup()
            for blob in blobs_in(app.images):
                if blob.path not in SEEDED:
                    app.images.delete(blob.path)

        def get_call_kwargs(self, _: Case) -> dict[str, Any]:
            return {"base_url": url(app)}

        def validate_response(self, *args: Any, **kwargs: Any) -> None:
            try:
                super().validate_response(*args, **kwargs)
            except FailureGroup as found:
                failures.append(found)
                raise

        def after_call(self, response: schemathesis.Response, case: Case) -> None:
            super().after_call(response, case)
            ANSWERS[f"then {case.operation.label}", response.status_code] += 1

    # What comes next depends on what the app answered: where a replay goes another way, the stories
    # end, as in schemathesis' own runner. What was found until then is kept.
    with suppress(FlakyStrategyDefinition):
        Story.run(settings=STORIES)
    assert not failures


def test_each_operation_was_seen_to_work() -> None:
    """The requests above are not all refused; this runs after them."""
    worked = {operation for operation, status in ANSWERS if 200 <= status < 300}
    operations = {
        f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in item
    }
    changed = {f"then {method} /api/images/{{path}}" for method in ("GET", "PUT", "DELETE")}
    assert worked >= operations | changed


def test_nothing_raised(app: RunningApp) -> None:
    assert "Traceback" not in app.log()

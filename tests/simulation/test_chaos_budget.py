"""A budget over several workers: spending ends, and goes on when the day turns."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path

import pytest

from captioning.app.services import build_services
from captioning.budget.table import UsageTable
from captioning.config.settings import Settings
from captioning.domain.messages import CaptionMessage
from captioning.storage.queues import MessageQueue
from testing.factories.numbered_pictures import numbered
from testing.harness.storage import Storage
from testing.services.chat import KEY as CHAT_KEY
from testing.services.server import WireServer
from testing.services.vision_clients import KEY as VISION_KEY
from testing.simulation.chaos import SEED, written
from testing.simulation.chaos_faults import FaultyServices

IMAGES, WORKERS, THREADS = 300, 4, 16
DOLLAR_BUYS = 100
PATHS = [f"{number}.png" for number in range(IMAGES)]
EVENING = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
PRICES = {
    "date": "2026-11-22",
    "currency": "USD",
    "models": {"gpt-4o-mini": {"input": 2.0, "output": 0.0}},
    "vision": {"verified": True, "per_1000": {"tags": 4.0}},
}
"""A cent an image: 0.4 for its tags, 0.6 for the 3,000 tokens that the model reads."""


class Workers:
    """Processes' worth of services over one storage, with one clock that the test moves. The
    queue of deferred images is the test's own: a real one goes by the real time."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.now = EVENING
        self._waiting: list[tuple[datetime, CaptionMessage]] = []
        self._lock = threading.Lock()
        self._services = [build_services(settings, now=lambda: self.now) for _ in range(WORKERS)]
        for services in self._services:
            stack.callback(services.close)

    def put(self, wake: CaptionMessage, delay: float) -> None:
        """In place of the queue's."""
        with self._lock:
            self._waiting.append((self.now + timedelta(seconds=delay), wake))

    def work(self, wakes: Iterable[CaptionMessage]) -> None:
        """Delivers them, to every worker in turn, many at a time."""
        turns = zip(cycle(self._services), wakes)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda turn: turn[0].pipeline.process(turn[1]), turns))

    def next_day(self) -> list[CaptionMessage]:
        """Sets the clock a while past midnight; what is due by then."""
        midnight = self.now.replace(hour=0) + timedelta(days=1)
        self.now = midnight + timedelta(minutes=30)
        due = [wake for at, wake in self._waiting if at <= self.now]
        self._waiting = [(at, wake) for at, wake in self._waiting if at > self.now]
        return due


@pytest.fixture
def services() -> FaultyServices:
    return FaultyServices(SEED, latency=0.05)


@pytest.fixture
def workers(
    storage: Storage, services: FaultyServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workers]:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(PRICES), "utf-8")
    with ExitStack() as stack:
        url = stack.enter_context(WireServer(services)).url
        settings = {
            "ImageStorage": storage.connection,
            "IMAGES_CONTAINER": storage.name,
            "CAPTIONS_TABLE": storage.name,
            "VISION_ENDPOINT": url,
            "VISION_KEY": VISION_KEY,
            "VISION_FEATURES": "tags",
            "AZURE_OPENAI_ENDPOINT": url,
            "AZURE_OPENAI_API_KEY": CHAT_KEY,
            "PRICES_FILE": str(prices),
            "DAILY_BUDGET_USD": "1",
        }
        made = Workers(Settings.from_environ(settings), stack)
        monkeypatch.setattr(MessageQueue, "put", lambda _, *wait: made.put(*wait))
        yield made


def test_a_dollar_a_day_for_four_workers(
    storage: Storage, workers: Workers, services: FaultyServices
) -> None:
    """Run 7: a day's spending ends with what was in flight, and the next day goes on."""
    began = time.monotonic()
    for number, path in enumerate(PATHS):
        storage.upload(path, numbered(number))
    wakes = [CaptionMessage(path) for path in PATHS]
    states: list[Counter[str]] = []
    while wakes:
        workers.work(wakes)
        states.append(Counter(_status(storage, path) for path in PATHS))
        wakes = workers.next_day()
    spent = _spent(storage)
    most = 1 + THREADS / DOLLAR_BUYS
    written(
        f"CHAOS 7: injected a dollar a day for {IMAGES} images at a cent; states by day "
        f"{[dict(state) for state in states]}; calls {dict(services.totals())} (least possible "
        f"{IMAGES} each); dollars by day {spent} (at most {most:.2f}); "
        f"seconds {time.monotonic() - began:.0f}"
    )
    assert states[0]["captioned"] + states[0]["deferred"] == IMAGES
    assert states[-1] == {"captioned": IMAGES}
    assert len(spent) == 3
    assert all(1 <= round(usd, 6) <= most for usd in spent[:-1])
    assert sum(spent) == pytest.approx(IMAGES / DOLLAR_BUYS)
    assert set(services.served("vision").values()) == set(services.served("model").values()) == {1}


def _status(storage: Storage, path: str) -> str:
    stored = storage.catalog.get(path)
    assert stored
    if stored.record.status == "deferred":
        assert stored.record.error
        assert stored.record.error.code == "budget"
    return stored.record.status


def _spent(storage: Storage) -> list[float]:
    """Dollars by day, as all workers wrote them down."""
    table = UsageTable(storage.account.table(f"{storage.name}usage"))
    dollars: defaultdict[date, float] = defaultdict(float)
    for day, _, tally in table.between(date(2026, 1, 1), date(2026, 12, 31)):
        dollars[day] += tally.usd
    return [dollars[day] for day in sorted(dollars)]

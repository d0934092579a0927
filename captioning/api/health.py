"""`/api/health`: whether the app works, and which part does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from captioning.api.messages import Response, json_response
from captioning.errors import BudgetSpent, ServiceDeferred, SettingsError, StorageUnavailable

if TYPE_CHECKING:
    from captioning.maintenance.subscription import Missing

BROKEN_ROWS = (
    "Rows that cannot be read are skipped; the app's log names them. If a newer version wrote them,"
    " upgrade the app; otherwise correct or delete them."
)
KEPT = timedelta(seconds=5)
"""How long an answer holds: anybody may ask, and storage is charged for each check."""


class HealthApi:
    """Checks each part, at most once in five seconds.

    `checks` call storage. `services` are all services; `troubles` gives the error codes of those
    that an operator has to fix, as runs have noted them. `check_budget` raises BudgetSpent.
    `stopped` gives the reason why reconcile changes no records, if there is one; `backup` what is
    wrong with the backups of the records; `broken` the tables with rows that were skipped, which
    the other checks may just have met; `events` the images that came without a blob event;
    `reasoning` what an unwanted reasoning of the model costs.
    """

    def __init__(
        self,
        checks: Mapping[str, Callable[[], bool]],
        troubles: Callable[[], Mapping[str, str]],
        check_budget: Callable[[], None],
        services: Sequence[str] = ("vision", "model"),
        stopped: Callable[[], str | None] = lambda: None,
        backup: Callable[[], str | None] = lambda: None,
        broken: Callable[[], Iterable[str]] = tuple,
        reasoning: Callable[[], str | None] = lambda: None,
        events: Callable[[], Missing | None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._checks = checks
        self._troubles = troubles
        self._check_budget = check_budget
        self._services = services
        self._stopped = stopped
        self._backup = backup
        self._broken = broken
        self._reasoning = reasoning
        self._events = events
        self._now = now
        self._lock = Lock()
        self._answer: tuple[datetime, Response] | None = None

    def get_health(self) -> Response:
        """GET /api/health: `down` (503) where a part is, `degraded` where the budget is spent, the
        webhook fails, reconcile has stopped, blob events are missing, the backup is late, the model
        reasons though it should not, or rows of a table cannot be read. It needs no key, so it
        gives the states of the parts, error codes and what to do, and nothing else."""
        with self._lock:  # whoever comes meanwhile gets the same answer
            if self._answer is None or not timedelta() <= self._now() - self._answer[0] < KEPT:
                answer = self._checked()
                self._answer = self._now(), answer  # after the checks, which may take longer
            return self._answer[1]

    def _checked(self) -> Response:
        parts = {"settings": "ok"}
        parts |= {name: "ok" if check() else "down" for name, check in self._checks.items()}
        if "down" in parts.values():
            return _health(parts)
        try:
            reasons = dict(self._troubles())
            parts |= {**dict.fromkeys(self._services, "ok"), **dict.fromkeys(reasons, "down")}
            if "webhook" in reasons:  # images are still captioned
                parts["webhook"] = "failing"
            parts["budget"] = self._budget()
            if reason := self._stopped():
                parts["reconcile"] = "stopped"
                reasons["reconcile"] = reason
            if self._events:
                missing = self._events()
                parts["events"] = "missing" if missing else "ok"
                if missing:
                    reasons["events"] = _told(missing)
            if state := self._backup():
                parts["backup"] = state
            if said := self._reasoning():
                parts["reasoning"] = "unwanted"
                reasons["reasoning"] = said
            for table in self._broken():
                parts[table] = "unreadable"
                reasons[table] = BROKEN_ROWS
        except StorageUnavailable:
            return _health(parts | {"captions": "down"})
        return _health(parts, reasons=reasons)

    def _budget(self) -> str:
        try:
            self._check_budget()
        except BudgetSpent:
            return "spent"
        return "ok"


def _told(missing: Missing) -> str:
    since = missing.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    images = "1 image" if missing.of == 1 else f"{missing.of} images"
    return (
        f"{missing.images} of the last {images} came without a blob event, the first of them"
        f" uploaded at {since}. Look at Event Grid's"
        " subscription `created`; `azd hooks run postdeploy` makes it again."
    )


def unhealthy(part: str, bad_settings: list[str] | None = None) -> Response:
    """The health of an app that cannot start because of a part; of bad settings the names, never
    the values."""
    return _health({"settings": "ok", part: "down"}, bad_settings=bad_settings)


def _health(parts: Mapping[str, str], **details: object) -> Response:
    found = set(parts.values())
    status = "down" if "down" in found else "ok" if found == {"ok"} else "degraded"
    given = {name: detail for name, detail in details.items() if detail}
    document = {"status": status, "parts": parts, **given}
    return json_response(document, 503 if status == "down" else 200)


def healthy(get_health: Callable[[], Response]) -> Response:
    """The health of the app, including an app that cannot start."""
    try:
        return get_health()
    except SettingsError as error:
        return unhealthy("settings", sorted(error.problems))
    except ServiceDeferred:
        return unhealthy("storage")

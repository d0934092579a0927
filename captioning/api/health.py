"""Health: whether the app can work, and which part keeps it from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from captioning.api.messages import Response, json_response
from captioning.errors import BudgetSpent, ServiceDeferred, SettingsError, StorageUnavailable


class HealthApi:
    """Looks at each part when asked.

    `checks` ask storage; `troubles` are codes of what an operator has to mend, by service, as runs
    noted them, and `services` all that there are; `check_budget` raises BudgetSpent.
    """

    def __init__(
        self,
        checks: Mapping[str, Callable[[], bool]],
        troubles: Callable[[], Mapping[str, str]],
        check_budget: Callable[[], None],
        services: Sequence[str] = ("vision", "model"),
    ) -> None:
        self._checks = checks
        self._troubles = troubles
        self._check_budget = check_budget
        self._services = services

    def get_health(self) -> Response:
        """GET /api/health: `down` (503) when a part is, `degraded` when the budget is spent
        or the webhook fails. It tells no more than the parts, and why a service does not serve."""
        parts = {"settings": "ok"}
        parts |= {name: "ok" if check() else "down" for name, check in self._checks.items()}
        if "down" in parts.values():
            return _health(parts)
        try:
            reasons = self._troubles()
            parts |= {**dict.fromkeys(self._services, "ok"), **dict.fromkeys(reasons, "down")}
            if "webhook" in reasons:  # images are captioned all the same
                parts["webhook"] = "failing"
            parts["budget"] = self._budget()
        except StorageUnavailable:
            return _health(parts | {"captions": "down"})
        return _health(parts, reasons=reasons)

    def _budget(self) -> str:
        try:
            self._check_budget()
        except BudgetSpent:
            return "spent"
        return "ok"


def unhealthy(part: str, bad_settings: list[str] | None = None) -> Response:
    """The health of an app that cannot start: which part keeps it from that, and the names of bad
    settings, no values."""
    return _health({"settings": "ok", part: "down"}, bad_settings=bad_settings)


def _health(parts: Mapping[str, str], **details: object) -> Response:
    found = set(parts.values())
    status = "down" if "down" in found else "ok" if found == {"ok"} else "degraded"
    told = {name: detail for name, detail in details.items() if detail}
    document = {"status": status, "parts": parts, **told}
    return json_response(document, 503 if status == "down" else 200)


def healthy(get_health: Callable[[], Response]) -> Response:
    """The health of the app, also where it cannot start."""
    try:
        return get_health()
    except SettingsError as error:
        return unhealthy("settings", sorted(error.problems))
    except ServiceDeferred:
        return unhealthy("storage")

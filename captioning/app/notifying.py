"""The webhook's parts, put together where the settings name a receiver."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from captioning.app.storage import StorageAccount
from captioning.config.settings import Settings
from captioning.domain.notice import Notice
from captioning.resilience.gate import Gate
from captioning.resilience.service_health import ServiceHealth
from captioning.webhook.client import WebhookReceiver
from captioning.webhook.outbox import AnnouncingCatalog
from captioning.webhook.outbox import Catalog as Catalogue
from captioning.webhook.sender import Notifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notifying:
    """Where those save who end images, and what deals with a notice."""

    endings: Catalogue
    notify: Callable[[Notice], None]


def notifying(
    settings: Settings,
    storage: StorageAccount,
    catalog: Catalogue,
    health: ServiceHealth,
    now: Callable[[], datetime],
) -> Notifying:
    """Without a receiver the catalogue is as it was, and notices that are left end."""
    webhook = settings.webhook
    if webhook is None:
        return Notifying(catalog, _end)
    gate = Gate(
        "The webhook's receiver",
        on_broken=partial(health.broken, "webhook"),
        on_answer=partial(health.answered, "webhook"),
    )
    notifier = Notifier(
        catalog=catalog,
        receiver=WebhookReceiver(webhook.url),
        gate=gate,
        notices=storage.notices,
        keys=webhook.keys,
        on_outage=partial(health.broken, "webhook"),
        now=now,
    )
    return Notifying(AnnouncingCatalog(catalog, storage.notices), notifier.notify)


def _end(_: Notice) -> None:
    log.warning("A notice ends unsent: NOTIFY_URL is not set.")

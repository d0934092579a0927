"""The composition root: from settings to a working app. It alone knows which class serves what."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial

from azure.core.credentials import TokenCredential

from captioning.api.captions import CaptionApi
from captioning.api.edits import EditApi
from captioning.api.health import HealthApi
from captioning.api.images import ImageChanges, ImageView
from captioning.api.mcp_tools import ImageTools
from captioning.api.recaption import RecaptionApi
from captioning.api.usage import UsageApi
from captioning.app.clients import ServiceClients
from captioning.app.pipeline import caption_pipeline
from captioning.app.storage import StorageAccount
from captioning.budget.ledger import Ledger
from captioning.budget.prices import PriceList
from captioning.budget.table import UsageTable
from captioning.config.settings import Settings
from captioning.domain.messages import NotificationMessage
from captioning.images.picture import check_header, read_header, thumbnail
from captioning.images.thumbnails import Thumbnails
from captioning.maintenance.cleanup import RecordCleanup
from captioning.maintenance.estimate import Asking, Estimate
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reconcile import Reconciler
from captioning.maintenance.reprocess import Reprocess
from captioning.maintenance.retag import Retag
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.ports import RecordWriter
from captioning.providers import Providers
from captioning.records import tag_vocabulary
from captioning.records.catalog import Catalog
from captioning.records.table import RecordTable
from captioning.resilience.gate import Gate
from captioning.resilience.service_health import SERVICES, ServiceHealth
from captioning.reuse.table import ReuseTable
from captioning.search.table import IndexTable
from captioning.storage.blobs import ImageContainer
from captioning.storage.state import StateTable
from captioning.webhook.client import WebhookClient
from captioning.webhook.outbox import OutboxCatalog
from captioning.webhook.sender import WebhookSender


def image_changes(
    settings: Settings,
    storage: StorageAccount,
    catalog: Catalog,
    providers: Providers,
    forget: Callable[[str], object],
) -> ImageChanges:
    """Uploading and deleting; `forget` removes what is known of a deleted image."""
    analyzer = providers.analyzer
    return ImageChanges(
        images=storage.images,
        records=catalog,
        check=partial(check_header, min_side=analyzer.limits.min_side if analyzer else 1),
        forget=forget,
        max_image_bytes=settings.max_image_bytes,
    )


def image_view(
    settings: Settings, storage: StorageAccount, catalog: Catalog, thumbnails: Thumbnails
) -> ImageView:
    """Looking at images and thumbnails."""
    return ImageView(
        images=storage.images,
        records=catalog,
        thumbnails=thumbnails,
        read_header=read_header,
        max_image_bytes=settings.max_image_bytes,
    )


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notifying:
    """Where those save who end images, and what deals with a notice."""

    endings: RecordWriter
    notify: Callable[[NotificationMessage], None]


def notifying(
    settings: Settings,
    storage: StorageAccount,
    catalog: RecordWriter,
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
    notifier = WebhookSender(
        catalog=catalog,
        receiver=WebhookClient(webhook.url),
        gate=gate,
        queue=storage.notices,
        keys=webhook.keys,
        on_outage=partial(health.broken, "webhook"),
        now=now,
    )
    return Notifying(OutboxCatalog(catalog, storage.notices), notifier.notify)


def _end(_: NotificationMessage) -> None:
    log.warning("A notice ends unsent: NOTIFY_URL is not set.")


def reprocess(
    settings: Settings,
    storage: StorageAccount,
    catalog: Catalog,
    providers: Providers,
    prices: PriceList,
) -> Reprocess:
    """Rounds through the images whose captions other settings have made."""
    asking = Asking(
        providers.fingerprint,
        settings.vision_features if settings.vision_provider == "azure" else (),
        None if settings.caption_provider == "embedded" else settings.caption_model,
    )
    price = partial(prices.usage, deployment=settings.caption_model)
    works = ReuseTable(storage.table("reuse"))
    return Reprocess(
        catalog=catalog,
        recaption=Recaption(storage.images, catalog, storage.deferrals),
        state=StateTable(storage.table("state")),
        fingerprint=providers.fingerprint,
        estimate=partial(Estimate, asking, price, catalog, works),
    )


@dataclass(frozen=True, slots=True)
class Services:
    """What triggers and commands work with."""

    images: ImageContainer
    catalog: Catalog
    languages: tuple[str, ...]
    is_there: dict[str, Callable[[], bool]]
    providers: Providers
    pipeline: CaptionPipeline
    upkeep: RecordCleanup
    reconciler: Reconciler
    api: CaptionApi
    edits: EditApi
    tools: ImageTools
    image_changes: ImageChanges
    image_view: ImageView
    thumbnails: Thumbnails
    health: HealthApi
    recaption: RecaptionApi
    reprocess: Reprocess
    retag: Retag
    usage: UsageApi
    notify: Callable[[NotificationMessage], None]
    log_spent: Callable[[], None]
    close: Callable[[], None]


def build_services(
    settings: Settings,
    *,
    create_storage: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Services:
    """Everything the settings ask for. Nothing is connected to before its first use, except that
    containers, queue and tables are made where a connection string names the account, as it does on
    a laptop."""
    credential = cache(partial(credential_of, settings))
    storage = StorageAccount(settings, credential)
    clients = ServiceClients(settings, credential)
    try:
        if create_storage and settings.storage.connection_string:
            storage.create()
        return _Composition(settings, storage, clients, now).services()
    except BaseException:
        clients.close()
        storage.close()
        raise


def credential_of(settings: Settings) -> TokenCredential:
    """The app's identity, by the settings; made when it is first asked for."""
    from captioning.app.credentials import app_credential

    storage = settings.storage
    return app_credential(managed=storage.managed, client_id=storage.client_id)


class _Composition:
    """The parts of one process, put together."""

    def __init__(
        self,
        settings: Settings,
        storage: StorageAccount,
        clients: ServiceClients,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._clients = clients
        self._now = now
        self._worker = uuid.uuid4().hex[:12]
        self._prices = PriceList.load(settings.prices_file)
        self._vocabulary = tag_vocabulary.load(settings.tag_vocabulary_file)
        self._records = RecordTable(storage.table())
        self._thumbnails = Thumbnails(
            storage.images, storage.thumbnails, thumbnail, settings.max_image_bytes
        )
        self._index = IndexTable(storage.table("index"))
        self._catalog = Catalog(self._records, self._index, now=now)
        self._state = StateTable(storage.table("state"))
        called = (*SERVICES, "webhook") if settings.webhook else SERVICES
        self._health = ServiceHealth(self._state, now, called)
        self._notifying = notifying(settings, storage, self._catalog, self._health, now)
        self._ledger = Ledger(
            UsageTable(storage.table("usage")),
            self._worker,
            now,
            settings.daily_budget_usd,
            settings.monthly_budget_usd,
        )
        self._upkeep = RecordCleanup(
            storage.images, self._notifying.endings, storage.thumbnails, storage.deferrals, now
        )

    def services(self) -> Services:
        """All of them."""
        storage, catalog, providers = self._storage, self._catalog, self._clients.providers
        is_there = {
            "images": storage.images.is_there,
            "captions": self._records.is_there,
            "queue": storage.deferrals.is_there,
        }
        return Services(
            images=storage.images,
            catalog=catalog,
            languages=self._settings.caption_languages,
            is_there=is_there,
            providers=providers,
            pipeline=self._pipeline(),
            upkeep=self._upkeep,
            reconciler=self._reconciler(),
            api=CaptionApi(catalog, self._settings.caption_languages, self._vocabulary.beginning),
            edits=EditApi(catalog, self._now),
            tools=ImageTools(catalog, self._settings.caption_languages),
            image_changes=image_changes(
                self._settings, storage, catalog, providers, self._upkeep.forget
            ),
            image_view=image_view(self._settings, storage, catalog, self._thumbnails),
            thumbnails=self._thumbnails,
            health=HealthApi(
                is_there, self._health.troubles, self._ledger.check_budget, self._health.services
            ),
            recaption=RecaptionApi(catalog, Recaption(storage.images, catalog, storage.deferrals)),
            reprocess=reprocess(self._settings, storage, catalog, providers, self._prices),
            retag=Retag(catalog, storage.deferrals, providers.fingerprint, self._vocabulary.digest),
            usage=UsageApi(self._ledger, self._prices),
            notify=self._notifying.notify,
            log_spent=self._ledger.log_spent,
            close=self._close,
        )

    def _pipeline(self) -> CaptionPipeline:
        return caption_pipeline(
            self._settings,
            self._storage,
            self._clients.providers,
            prices=self._prices,
            health=self._health,
            ledger=self._ledger,
            catalog=self._notifying.endings,
            forget=self._upkeep.forget,
            worker=self._worker,
            now=self._now,
        )

    def _reconciler(self) -> Reconciler:
        return Reconciler(
            images=self._storage.images,
            records=self._records,
            catalog=self._catalog,
            queue=self._storage.deferrals,
            state=self._state,
            forget=self._upkeep.forget,
            now=self._now,
        )

    def _close(self) -> None:
        """Ends threads and connections."""
        self._catalog.close()
        self._index.close()
        self._clients.close()
        self._storage.close()

"""The composition root: from settings to a working app. It alone knows which class serves what."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial

from azure.core.credentials import TokenCredential

from captioning.api import CaptionApi
from captioning.blobs import ImageContainer
from captioning.call_maker import call_maker
from captioning.catalog import Catalog
from captioning.contents import Contents
from captioning.edit_api import EditApi
from captioning.examiner import Examiner
from captioning.health import HealthApi
from captioning.image_apis import image_changes, image_view
from captioning.image_changes import ImageChanges
from captioning.image_tools import ImageTools
from captioning.image_view import ImageView
from captioning.images import inspect
from captioning.index import CaptionIndex
from captioning.ledger import Ledger
from captioning.pipeline import CaptionPipeline
from captioning.prices import PriceList
from captioning.providers import Providers
from captioning.recaption import Recaption
from captioning.reconcile import Reconciler
from captioning.reuse import ReuseTable
from captioning.service_clients import ServiceClients
from captioning.service_health import ServiceHealth
from captioning.settings import Settings
from captioning.state import StateTable
from captioning.storage_account import StorageAccount
from captioning.store import RecordStore
from captioning.support import Witness
from captioning.upkeep import Upkeep
from captioning.usage_report import UsageApi
from captioning.usage_table import UsageTable


@dataclass(frozen=True, slots=True)
class Services:
    """What triggers and commands work with."""

    images: ImageContainer
    catalog: Catalog
    languages: tuple[str, ...]
    is_there: dict[str, Callable[[], bool]]
    providers: Providers
    pipeline: CaptionPipeline
    upkeep: Upkeep
    reconciler: Reconciler
    api: CaptionApi
    edits: EditApi
    tools: ImageTools
    image_changes: ImageChanges
    image_view: ImageView
    health: HealthApi
    recaption: Recaption
    usage: UsageApi
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
    credential = cache(partial(_credential, settings))
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


def _credential(settings: Settings) -> TokenCredential:
    from captioning.credentials import app_credential

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
        self._records = RecordStore(storage.table())
        self._index = CaptionIndex(storage.table("index"))
        self._catalog = Catalog(self._records, self._index, now=now)
        self._state = StateTable(storage.table("state"))
        self._health = ServiceHealth(self._state, now)
        self._ledger = Ledger(
            UsageTable(storage.table("usage")),
            self._worker,
            now,
            settings.daily_budget_usd,
            settings.monthly_budget_usd,
        )
        self._upkeep = Upkeep(
            storage.images, self._catalog, storage.thumbnails, storage.deferrals, now
        )

    def services(self) -> Services:
        """All of them."""
        storage, catalog = self._storage, self._catalog
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
            providers=self._clients.providers,
            pipeline=self._pipeline(),
            upkeep=self._upkeep,
            reconciler=self._reconciler(),
            api=CaptionApi(catalog, self._settings.caption_languages),
            edits=EditApi(catalog, self._now),
            tools=ImageTools(catalog, self._settings.caption_languages),
            image_changes=image_changes(
                self._settings, storage, catalog, self._clients.providers, self._upkeep.forget
            ),
            image_view=image_view(self._settings, storage, catalog),
            health=HealthApi(is_there, self._health.troubles, self._ledger.check_budget),
            recaption=Recaption(storage.images, catalog, storage.deferrals),
            usage=UsageApi(self._ledger, self._prices),
            log_spent=self._ledger.log_spent,
            close=self._close,
        )

    def _pipeline(self) -> CaptionPipeline:
        lease = timedelta(seconds=self._settings.claim_seconds)
        contents = Contents(
            works=ReuseTable(self._storage.table("reuse")),
            providers=self._clients.providers,
            ledger=self._ledger,
            price=partial(self._prices.usage, deployment=self._settings.caption_model),
            calls=call_maker(self._health),
            lease=lease,
            now=self._now,
        )
        examiner = Examiner(
            images=self._storage.images,
            inspect=inspect,
            contents=contents,
            witness=self._witness(),
            max_image_bytes=self._settings.max_image_bytes,
        )
        return CaptionPipeline(
            images=self._storage.images,
            examiner=examiner,
            catalog=self._catalog,
            deferrals=self._storage.deferrals,
            ledger=self._ledger,
            forget=self._upkeep.forget,
            worker=self._worker,
            lease=lease,
            now=self._now,
        )

    def _witness(self) -> Witness:
        settings = self._settings
        return Witness(settings.vision_features, settings.support_threshold)

    def _reconciler(self) -> Reconciler:
        return Reconciler(
            images=self._storage.images,
            records=self._records,
            catalog=self._catalog,
            deferrals=self._storage.deferrals,
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

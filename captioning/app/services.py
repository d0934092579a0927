"""The composition root: from settings to a working app. Only this package knows which class serves
which interface."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial

from captioning.api.captions import CaptionApi
from captioning.api.edits import EditApi
from captioning.api.health import HealthApi
from captioning.api.images import ImageChanges, ImageView
from captioning.api.mcp_tools import ImageTools
from captioning.api.recaption import RecaptionApi
from captioning.api.usage import UsageApi
from captioning.app.clients import ServiceClients
from captioning.app.credentials import identity_of
from captioning.app.decoders import decoders
from captioning.app.pipeline import bursts, call_maker, service_gate
from captioning.app.storage import StorageAccount
from captioning.backup.backup import Backup
from captioning.backup.restore import Policy, Restore
from captioning.backup.rows import RecordTable
from captioning.budget.ledger import Ledger
from captioning.budget.prices import PriceList
from captioning.budget.reasoning import unwanted_reasoning
from captioning.budget.table import UsageTable
from captioning.config.settings import Settings
from captioning.domain.messages import NotificationMessage
from captioning.images.thumbnails import Thumbnails
from captioning.maintenance.brake import Brake
from captioning.maintenance.cleanup import RecordCleanup
from captioning.maintenance.erasure import Erasure
from captioning.maintenance.estimate import Asking, Estimate
from captioning.maintenance.foreign_messages import ForeignMessages
from captioning.maintenance.missing import MissingBlobs
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.recaption_limit import RecaptionLimit
from captioning.maintenance.reconcile import Reconciler
from captioning.maintenance.reprocess import Limits, Round, Selection
from captioning.maintenance.retag import Retag
from captioning.maintenance.subscription import Subscription
from captioning.maintenance.undelete import Undelete
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.ports import RecordWriter
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout
from captioning.records.trash import Trash
from captioning.resilience.blob_events import BlobEvents
from captioning.resilience.service_health import SERVICES, ServiceHealth
from captioning.reuse.cache import CaptionCache
from captioning.reuse.table import BurstTable, ReuseTable
from captioning.search.dictionary import Dictionary
from captioning.storage.broken_rows import BrokenRows
from captioning.storage.state import StateTable
from captioning.support.score import SupportScorer
from captioning.webhook.client import WebhookClient
from captioning.webhook.outbox import OutboxCatalog
from captioning.webhook.sender import WebhookSender

log = logging.getLogger("captioning.webhook")


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers of the HTTP functions and of the tools for assistants."""

    captions: CaptionApi
    edits: EditApi
    image_view: ImageView
    image_changes: ImageChanges
    recaption: RecaptionApi
    usage: UsageApi
    health: HealthApi
    tools: ImageTools


def build_services(
    settings: Settings,
    *,
    create_storage: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Services:
    """The app of this process. Nothing is connected to before its first use, except that
    containers, queues and tables are made where a connection string names the account, as it does
    on a laptop. SettingsError where a provider rejects a setting."""
    credential = identity_of(settings)
    storage = StorageAccount(settings, credential)
    clients = ServiceClients(settings, credential)
    try:
        if create_storage and settings.storage.connection_string:
            storage.create()
        return Services(settings, storage, clients, now)
    except BaseException:
        clients.close()
        storage.close()
        raise


class Services:
    """The parts of one process, each made once, in an order in which each has what it needs. The
    public ones are what the functions and the commands work with; safe to share between threads."""

    def __init__(
        self,
        settings: Settings,
        storage: StorageAccount,
        clients: ServiceClients,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._storage, self._clients, self._now = storage, clients, now
        self._providers = clients.providers
        self._prices = PriceList.load(settings.prices_file)
        self._price = partial(self._prices.usage, deployment=settings.caption_model)
        self._worker = uuid.uuid4().hex[:12]
        self._broken = BrokenRows(storage.table("state"), now)
        self._reuse = ReuseTable(storage.table("reuse"), self._broken.skipped)
        self._state = StateTable(storage.table("state"), self._broken.skipped)
        called = (*SERVICES, "webhook") if settings.webhook else SERVICES
        self._health = ServiceHealth(self._state, now, called)
        self.decoders = decoders(settings)
        self.languages = settings.caption_languages
        self.forget_after_hours = settings.forget_after_hours
        self.ignored_files = settings.ignore_files
        self.images = storage.images
        self._layout = Layout(storage.table("catalog"), storage.has_older_records)
        self.catalog = Catalog(
            storage.table("catalog"), Dictionary(storage.table("words")), self._layout, now=now
        )
        self._outbox = self._make_outbox()
        self.thumbnails = Thumbnails(
            storage.images, storage.thumbnails, self.decoders.thumbnail, settings.max_image_bytes
        )
        self.ledger = Ledger(
            UsageTable(storage.table("usage"), self._broken.skipped),
            self._worker,
            now,
            settings.daily_budget_usd,
            settings.monthly_budget_usd,
        )
        self.trash = Trash(storage.table("trash"), now)
        self.cleanup = self._make_cleanup()
        self.foreign = ForeignMessages(storage.poison, self._state, now)
        self.erasure = self._make_erasure()
        self.undelete = Undelete(storage.images, self.catalog, self.trash, now)
        limit = RecaptionLimit(self._state, settings.recaptions_per_hour, now)
        self._recaption = Recaption(storage.images, self.catalog, storage.deferrals, limit)
        self.pipeline = self._make_pipeline()
        self.notify = self._make_notify()
        self.reconciler = self._make_reconciler()
        self._records = RecordTable(storage.table("catalog"), self._layout)
        self.backups = storage.backups
        self.backup = self._make_backup()
        self.retag = Retag(
            self.catalog,
            storage.deferrals,
            self._providers.fingerprint,
            settings.tag_vocabulary.digest,
        )
        self.api = self._make_api()

    def reprocess(self, selection: Selection, limits: Limits) -> Round:
        """A run through the images that are selected, which other settings may have captioned."""
        settings, fingerprint = self._settings, self._providers.fingerprint
        asking = Asking(
            fingerprint,
            settings.vision_features if settings.vision_provider == "azure" else (),
            None if settings.caption_provider == "embedded" else settings.caption_model,
        )
        return Round(
            selection,
            limits,
            catalog=self.catalog,
            recaption=self._recaption,
            fingerprint=fingerprint,
            estimates=Estimate(asking, self._price, self.catalog, self._reuse),
        )

    def importer(self, policy: Policy, *, dry_run: bool = False) -> Restore:
        """Puts records back. No webhook is notified of them."""
        return Restore(self.catalog, self._records, self.images, policy, dry_run=dry_run)

    def close(self) -> None:
        """Ends threads, processes and connections."""
        self.decoders.close()
        self.catalog.close()
        self._clients.close()
        self._storage.close()

    def _make_outbox(self) -> RecordWriter:
        """Runs and cleanup save through this catalogue, which queues a notification before it saves
        a final status. Records saved through the plain one would not reach the webhook."""
        if self._settings.webhook:
            return OutboxCatalog(self.catalog, self._storage.notices, self._now)
        return self.catalog

    @cached_property
    def _events(self) -> BlobEvents:
        return BlobEvents(self._state, self._now)

    @cached_property
    def subscription(self) -> Subscription:
        """Whether blob events arrive."""
        return Subscription(self._events, self.catalog, self._state, self._now)

    def _make_pipeline(self) -> CaptionPipeline:
        settings, storage, now = self._settings, self._storage, self._now
        lease = timedelta(seconds=settings.claim_seconds)
        cache = CaptionCache(
            store=self._reuse,
            providers=self._providers,
            ledger=self.ledger,
            price=self._price,
            calls=call_maker(self._health),
            lease=lease,
            now=now,
            bursts=bursts(settings, storage, self._reuse, now, self._broken.skipped),
        )
        return CaptionPipeline(
            images=storage.images,
            inspect=self.decoders.inspect,
            cache=cache,
            scorer=SupportScorer(settings.vision_features, settings.support_threshold),
            catalog=self._outbox,
            quiet=self.catalog,
            queue=storage.deferrals,
            ledger=self.ledger,
            forget=self.cleanup.missing,
            max_image_bytes=settings.max_image_bytes,
            worker=self._worker,
            lease=lease,
            ignore=settings.ignore_files,
            events=self._events,
            vocabulary=settings.tag_vocabulary,
            now=now,
        )

    def _make_cleanup(self) -> RecordCleanup:
        storage = self._storage
        return RecordCleanup(
            storage.images,
            self._outbox,
            storage.thumbnails,
            storage.deferrals,
            self._now,
            self._settings.ignore_files,
            self._is_own_container,
            self.trash,
        )

    def _make_erasure(self) -> Erasure:
        storage = self._storage
        return Erasure(
            images=storage.images,
            catalog=self.catalog,
            outbox=self._outbox,
            thumbnails=storage.thumbnails,
            trash=self.trash,
            missing=MissingBlobs(self._state),
            answers=self._reuse,
            frames=BurstTable(storage.table("bursts"), self._broken.skipped),
            is_own=self._is_own_container,
            languages=self.languages,
            now=self._now,
        )

    def _is_own_container(self) -> bool:
        """Whether `reconcile` has bound the records to this container of images."""
        own = self._layout.container()
        return own is not None and self._storage.images.identity().is_same(own)

    def _make_notify(self) -> Callable[[NotificationMessage], None]:
        """Delivers a message of the webhook's queue. Where the webhook has been turned off,
        messages that are left are dropped."""
        webhook = self._settings.webhook
        if webhook is None:
            return _drop
        sender = WebhookSender(
            catalog=self.catalog,
            receiver=WebhookClient(webhook.url),
            gate=service_gate("The webhook's receiver", "webhook", self._health),
            queue=self._storage.notices,
            keys=webhook.keys,
            on_outage=partial(self._health.broken, "webhook"),
            now=self._now,
        )
        return sender.notify

    def _make_reconciler(self) -> Reconciler:
        return Reconciler(
            images=self._storage.images,
            catalog=self.catalog,
            binding=self._layout,
            queue=self._storage.deferrals,
            state=self._state,
            forget=self.cleanup.forget,
            forget_after=timedelta(hours=self._settings.forget_after_hours),
            lease=timedelta(seconds=self._settings.claim_seconds),
            now=self._now,
            ignore=self._settings.ignore_files,
            trash=self.trash,
            subscription=self.subscription,
        )

    def _make_backup(self) -> Backup:
        return Backup(
            table=self._records,
            store=self.backups,
            state=self._state,
            days=self._settings.backup_days,
            now=self._now,
        )

    def _reasoning(self) -> str | None:
        if self._settings.caption_reasoning != "lowest":
            return None
        return unwanted_reasoning(self.ledger.days)

    def _make_api(self) -> Api:
        settings, images, catalog = self._settings, self._storage.images, self.catalog
        analyzer, health = self._providers.analyzer, self._health
        # The catalogue's own check says also whether its layout is one that this version reads.
        checks = {**self._storage.checks, "captions": catalog.is_there}
        return Api(
            captions=CaptionApi(catalog, self.languages, settings.tag_vocabulary.beginning),
            edits=EditApi(catalog, self._now),
            image_view=ImageView(
                images=images,
                records=catalog,
                thumbnails=self.thumbnails,
                read_header=self.decoders.read_header,
                max_image_bytes=settings.max_image_bytes,
            ),
            image_changes=ImageChanges(
                images=images,
                records=catalog,
                check=partial(
                    self.decoders.check_header,
                    min_side=analyzer.limits.min_side if analyzer else 1,
                ),
                erase=self.erasure.erase,
                forget_record=self.cleanup.forget_record,
                max_image_bytes=settings.max_image_bytes,
                ignore=settings.ignore_files,
            ),
            recaption=RecaptionApi(catalog, self._recaption),
            usage=UsageApi(self.ledger, self._prices),
            health=HealthApi(
                checks,
                health.troubles,
                self.ledger.check_budget,
                health.services,
                Brake(self._state, self._now).reason,
                self.backup.lateness,
                self._broken.tables,
                self._reasoning,
                self.subscription.missing,
                self._now,
            ),
            tools=ImageTools(catalog, self.languages),
        )


def _drop(_: NotificationMessage) -> None:
    log.warning("A notification is dropped: NOTIFY_URL is not set.")

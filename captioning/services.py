"""The composition root: from settings to a working app. It alone knows which class serves what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError

from captioning import blobs
from captioning.api import CaptionApi
from captioning.blobs import ImageContainer
from captioning.catalog import Catalog
from captioning.errors import ServiceUnavailable, SettingsError
from captioning.images import inspect
from captioning.index import CaptionIndex
from captioning.pipeline import CaptionPipeline
from captioning.providers import Captioner, ImageAnalyzer, Providers
from captioning.settings import Settings
from captioning.store import RecordStore
from captioning.tables import TableAccount
from captioning.timeouts import CONNECT_SECONDS, MODEL_READ_SECONDS, VISION_READ_SECONDS

VISION_SCOPE = "https://cognitiveservices.azure.com/.default"
MODEL_SCOPE = "https://ai.azure.com/.default"


@dataclass(frozen=True, slots=True)
class Services:
    """What triggers and commands work with."""

    images: ImageContainer
    records: RecordStore
    catalog: Catalog
    providers: Providers
    pipeline: CaptionPipeline
    api: CaptionApi
    close: Callable[[], None]


def build_services(settings: Settings, *, create_storage: bool = True) -> Services:
    """Everything the settings ask for. Nothing is connected to before its first use, except that
    container and tables are made where a connection string names the account: a laptop's."""
    parts = _Parts(settings)
    try:
        if create_storage and settings.storage.connection_string:
            parts.create_storage()
        return _services(settings, parts)
    except BaseException:
        parts.close()
        raise


def _services(settings: Settings, parts: _Parts) -> Services:
    pipeline = CaptionPipeline(
        images=parts.images,
        inspect=inspect,
        providers=parts.providers,
        catalog=parts.catalog,
        max_image_bytes=settings.max_image_bytes,
    )
    checks = {"images": parts.images.is_there, "captions": parts.records.is_there}
    api = CaptionApi(parts.catalog, checks)
    return Services(
        images=parts.images,
        records=parts.records,
        catalog=parts.catalog,
        providers=parts.providers,
        pipeline=pipeline,
        api=api,
        close=parts.close,
    )


class _Parts:
    """The parts, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._storage = settings.storage
        self._closers: list[Callable[[], None]] = []

    def close(self) -> None:
        """Ends threads and connections, the newest part first."""
        while self._closers:
            self._closers.pop()()

    @cached_property
    def _credential(self) -> TokenCredential:
        from captioning.credentials import app_credential

        return app_credential(managed=self._storage.managed, client_id=self._storage.client_id)

    @property
    def _storage_credential(self) -> TokenCredential | None:
        """None where a connection string holds the key."""
        return None if self._storage.connection_string else self._credential

    def _token(self, scope: str) -> Callable[[], str]:
        from captioning.credentials import token_provider

        return token_provider(self._credential, scope)

    @cached_property
    def images(self) -> ImageContainer:
        """The container of images."""
        container = blobs.connect(
            self._settings.images_container,
            connection_string=self._storage.connection_string,
            account_uri=self._storage.blob_uri,
            credential=self._storage_credential,
        )
        self._closers.append(container.close)
        return container

    @cached_property
    def _tables(self) -> TableAccount:
        account = TableAccount(
            connection_string=self._storage.connection_string,
            account_uri=self._storage.table_uri,
            credential=self._storage_credential,
        )
        self._closers.append(account.close)
        return account

    def create_storage(self) -> None:
        """Makes the container and the tables where they are missing."""
        try:
            self.images.create()
            self._tables.create(self._settings.captions_table)
            self._tables.create(self._index_table)
        except AzureError as error:
            raise ServiceUnavailable(
                "The storage account of ImageStorage does not answer, or not as one does."
            ) from error

    @property
    def _index_table(self) -> str:
        return f"{self._settings.captions_table}index"

    @cached_property
    def records(self) -> RecordStore:
        """The table of records."""
        return RecordStore(self._tables.table(self._settings.captions_table))

    @cached_property
    def catalog(self) -> Catalog:
        """Records and the index over them."""
        catalog = Catalog(self.records, CaptionIndex(self._tables.table(self._index_table)))
        self._closers.append(catalog.close)
        return catalog

    @cached_property
    def providers(self) -> Providers:
        """Vision and caption model."""
        try:
            analyzer, captioner = self._analyzer(), self._captioner()
        except ValueError as error:  # an adapter's own check; its message begins with the setting
            name, _, what = str(error).partition(" ")
            raise SettingsError({name: what}) from error
        providers = Providers(analyzer, captioner, self._settings.caption_input)
        self._closers.append(providers.close)
        return providers

    def _analyzer(self) -> ImageAnalyzer | None:
        settings = self._settings
        if settings.vision_provider == "none":
            return None
        if settings.vision_provider == "embedded":
            from captioning.embedded.vision import EmbeddedVision

            return EmbeddedVision(min_confidence=settings.vision_min_confidence)
        from captioning.vision import VisionClient

        client = VisionClient(
            endpoint=settings.vision_endpoint,
            key=settings.vision_key,
            token=None if settings.vision_key else self._token(VISION_SCOPE),
            api=settings.vision_api,
            features=settings.vision_features,
            min_confidence=settings.vision_min_confidence,
            timeouts=(CONNECT_SECONDS, VISION_READ_SECONDS),
        )
        self._closers.append(client.close)
        return client

    def _captioner(self) -> Captioner:
        settings = self._settings
        if settings.caption_provider == "embedded":
            from captioning.embedded.captioner import EmbeddedCaptioner

            return EmbeddedCaptioner(languages=settings.caption_languages)
        from captioning.captioner import OpenAICaptioner
        from captioning.prompt import BUILT_IN, Prompt

        azure = settings.caption_provider == "azure"
        file = settings.caption_prompt_file
        key = settings.azure_openai_api_key if azure else settings.openai_api_key
        client = OpenAICaptioner(
            base_url=(
                f"{settings.azure_openai_endpoint}/openai/v1/"
                if azure
                else settings.openai_base_url
            ),
            api_key=key or (self._token(MODEL_SCOPE) if azure else ""),
            model=settings.caption_model,
            languages=settings.caption_languages,
            provider="azure" if azure else "openai",
            prompt=Prompt(file.read_text("utf-8")) if file else BUILT_IN,
            detail=settings.caption_detail,
            max_completion_tokens=settings.caption_max_tokens,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=MODEL_READ_SECONDS,
        )
        self._closers.append(client.close)
        return client

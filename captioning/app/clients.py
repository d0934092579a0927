"""The vision provider and the caption model that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from azure.core.credentials import TokenCredential

from captioning.app.credentials import token_provider
from captioning.app.timeouts import CONNECT_SECONDS
from captioning.budget.prices import PriceList
from captioning.config.settings import Settings
from captioning.errors import SettingsError
from captioning.providers import Captioner, ImageAnalyzer, Providers

VISION_SCOPE = "https://cognitiveservices.azure.com/.default"
MODEL_SCOPE = "https://ai.azure.com/.default"


class ServiceClients:
    """Makes the providers; `credential` is used where there is no key."""

    def __init__(self, settings: Settings, credential: Callable[[], TokenCredential]) -> None:
        self._settings = settings
        self._credential = credential
        self._closers: list[Callable[[], None]] = []

    @cached_property
    def providers(self) -> Providers:
        """Vision and the caption model; SettingsError where an adapter rejects a setting."""
        try:
            analyzer, captioner = self._analyzer(), self._captioner()
        except ValueError as error:  # an adapter's own check; its message begins with the setting
            name, _, what = str(error).partition(" ")
            raise SettingsError({name: what}) from error
        providers = Providers(analyzer, captioner, self._settings.caption_input)
        self._closers.append(providers.close)
        return providers

    def close(self) -> None:
        """Ends threads and connections, the newest first."""
        while self._closers:
            self._closers.pop()()

    def _token(self, scope: str) -> Callable[[], str]:
        return token_provider(self._credential(), scope)

    def _analyzer(self) -> ImageAnalyzer | None:
        settings = self._settings
        if settings.vision_provider == "none":
            return None
        if settings.vision_provider == "embedded":
            from captioning.embedded.providers.vision import EmbeddedVision

            embedded = EmbeddedVision(
                features=settings.vision_features,
                min_confidence=settings.vision_min_confidence,
            )
            self._closers.append(embedded.close)
            return embedded
        from captioning.vision.client import VisionClient

        client = VisionClient(
            endpoint=settings.vision_endpoint,
            key=settings.vision_key,
            token=None if settings.vision_key else self._token(VISION_SCOPE),
            api=settings.vision_api,
            features=settings.vision_features,
            min_confidence=settings.vision_min_confidence,
            timeouts=(CONNECT_SECONDS, settings.vision_timeout_seconds),
        )
        self._closers.append(client.close)
        return client

    def _captioner(self) -> Captioner:
        settings = self._settings
        if settings.caption_provider == "embedded":
            from captioning.embedded.providers.captioner import EmbeddedCaptioner

            return EmbeddedCaptioner(languages=settings.caption_languages)
        from captioning.captioner.client import OpenAICaptioner
        from captioning.captioner.prompt import BUILT_IN, Prompt

        azure = settings.caption_provider == "azure"
        file = settings.caption_prompt_file
        known = PriceList.load(settings.prices_file).model(settings.caption_model)
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
            prompt=Prompt(file.read_text("utf-8-sig")) if file else BUILT_IN,
            detail=settings.caption_detail,
            max_completion_tokens=settings.caption_max_tokens,
            reasoning=settings.caption_reasoning,
            reasons=known.reasons if known else None,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=settings.caption_timeout_seconds,
        )
        self._closers.append(client.close)
        return client

"""The processes that decode pictures, by the settings."""

from __future__ import annotations

from captioning.config.settings import Settings, helper_environ
from captioning.images.helpers.decoders import Decoders
from captioning.images.helpers.memory import default_limit


def decoders(settings: Settings) -> Decoders:
    """None of them is started before the first picture; `close` ends them."""
    memory = settings.decode_memory_mib or default_limit()
    return Decoders(memory, settings.decode_seconds, helper_environ())

"""Environments that settings are loaded from."""

from __future__ import annotations

EMBEDDED = {
    "ImageStorage": "UseDevelopmentStorage=true",
    "VISION_PROVIDER": "embedded",
    "CAPTION_PROVIDER": "embedded",
}
"""The smallest one: the storage emulator and the providers that need no service."""

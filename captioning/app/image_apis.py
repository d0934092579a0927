"""The image routes, put together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from captioning.api.image_changes import ImageChanges
from captioning.api.images import ImageView
from captioning.app.storage import StorageAccount
from captioning.config.settings import Settings
from captioning.images.picture import check_header, read_header, thumbnail
from captioning.providers import Providers
from captioning.records.catalog import Catalog


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


def image_view(settings: Settings, storage: StorageAccount, catalog: Catalog) -> ImageView:
    """Looking at images and thumbnails."""
    return ImageView(
        images=storage.images,
        records=catalog,
        thumbnails=storage.thumbnails,
        read_header=read_header,
        thumbnail=thumbnail,
        max_image_bytes=settings.max_image_bytes,
    )

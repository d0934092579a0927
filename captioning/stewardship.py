"""What asks for captions again, put together."""

from __future__ import annotations

from functools import partial

from captioning.catalog import Catalog
from captioning.estimate import Asking, Estimate
from captioning.prices import PriceList
from captioning.providers import Providers
from captioning.recaption import Recaption
from captioning.reprocess import Reprocess
from captioning.reuse import ReuseTable
from captioning.settings import Settings
from captioning.state import StateTable
from captioning.storage_account import StorageAccount


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

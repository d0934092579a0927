"""What asks for captions again, put together."""

from __future__ import annotations

from functools import partial

from captioning.app.storage import StorageAccount
from captioning.budget.prices import PriceList
from captioning.config.settings import Settings
from captioning.maintenance.estimate import Asking, Estimate
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reprocess import Reprocess
from captioning.providers import Providers
from captioning.records.catalog import Catalog
from captioning.reuse.table import ReuseTable
from captioning.storage.state import StateTable


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

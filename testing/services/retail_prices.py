"""Azure's public retail price API: pages of meters, as it answered in October and November 2026."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from testing.services.server import Received, Reply

PATH = "/api/retail/prices"
PAGE = 4
"""Items of a page; the real one has 1,000."""
CONDITION = re.compile(
    r"(contains\((productName|meterName|skuName), ?'[^']*'\)"
    r"|(productName|armRegionName|serviceName|priceType) eq '[^']*')"
)
METERS: tuple[tuple[str, float, str], ...] = (
    ("gpt-4o-mini-0718-Inp-glbl Tokens", 0.00015, "1K"),
    ("gpt-4o-mini-0718-Outp-glbl Tokens", 0.0006, "1K"),
    ("gpt 4o mini 0718 cached Inp glbl Tokens", 0.000075, "1K"),
    ("gpt-4o-mini-0718-Batch-Inp-glbl Tokens", 0.000075, "1K"),
    ("gpt-4o-mini-0718-Inp-regnl Tokens", 0.000165, "1K"),
    ("gpt 4o mini 0718 Inp Data Zone Tokens", 0.000165, "1K"),
    ("GPT 5 Mini Inpt Glbl 1M Tokens", 0.25, "1M"),
    ("GPT 5 Mini outpt Glbl 1M Tokens", 2.0, "1M"),
    ("GPT 5 Mini cached Inpt Glbl 1M Tokens", 0.025, "1M"),
    ("5.4 nano Inp Gl 1M Tokens", 0.2, "1M"),
    ("5.4 nano Opt Gl 1M Tokens", 1.25, "1M"),
    ("5.4 nano cd Inp Gl 1M Tokens", 0.02, "1M"),
    ("5.4 nano Batch Inp Gl 1M Tokens", 0.1, "1M"),
    ("5.6 luna ShortCo Inp Std Gl 1M Tokens", 0.2, "1M"),
    ("5.6 luna ShortCo Cd Inp Std Gl 1M Tokens", 0.02, "1M"),
    ("5.6 luna ShortCo Cd Wr Std Gl 1M Tokens", 0.25, "1M"),
    ("5.6 luna ShortCo Opt Std Gl 1M Tokens", 1.2, "1M"),
    ("5.6 luna ShortCo Inp Std DZ 1M Tokens", 0.22, "1M"),
    ("text-embedding-3-small-glbl Tokens", 0.000022, "1K"),
    ("Hosted vCPU Usage", 0.1, "1 Hour"),
)


class RetailPrices:
    """Answers for WireServer; `meters` are name, dollars and unit. `elsewhere` is the server that
    the next page's address names, in place of this one."""

    def __init__(
        self, meters: tuple[tuple[str, float, str], ...] = METERS, elsewhere: str = ""
    ) -> None:
        self.meters = meters
        self.elsewhere = elsewhere

    def __call__(self, received: Received) -> Reply:
        """The answer to one request."""
        query = dict(received.query)
        if received.method != "GET" or received.path != PATH:
            return Reply(404)
        conditions = query.get("$filter", "").split(" and ")
        if not all(CONDITION.fullmatch(each) for each in conditions):
            return Reply(400, {"Error": {"Code": "BadRequest", "Message": "Invalid OData filter"}})
        if query.get("currencyCode", "'USD'") != "'USD'":
            return Reply(400, {"Error": {"Code": "BadRequest", "Message": "Invalid currency"}})
        start = int(query.get("$skip", "0"))
        page = self.meters[start : start + PAGE]
        following = None
        if start + PAGE < len(self.meters):
            server = self.elsewhere or f"http://{received.headers['host']}"
            following = f"{server}{PATH}?{urlencode({**query, '$skip': str(start + PAGE)})}"
        body: dict[str, Any] = {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": [_item(*meter) for meter in page],
            "NextPageLink": following,
            "Count": len(page),
        }
        return Reply(200, body)


def _item(name: str, price: float, unit: str) -> dict[str, Any]:
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": "eastus2",
        "location": "US East 2",
        "effectiveStartDate": "2026-10-01T00:00:00Z",
        "meterName": name,
        "productName": "Azure OpenAI",
        "skuName": name.removesuffix(" Tokens"),
        "serviceName": "Foundry Models",
        "serviceFamily": "AI + Machine Learning",
        "unitOfMeasure": unit,
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
    }

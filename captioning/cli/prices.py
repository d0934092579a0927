"""`prices`: compares the price list with what Azure's public price API says today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from captioning.cli import console
from captioning.cli.context import reported
from captioning.errors import ServiceUnavailable

API = "https://prices.azure.com"
VERSION = "2023-01-01-preview"
FILTER = "contains(productName, 'OpenAI') and armRegionName eq 'eastus2'"
"""Global Standard costs the same everywhere; the API lists it by region."""
MOST_PAGES = 50
TIMEOUTS = (10.0, 60.0)
UNREADABLE = "The price API's answer is not a list of prices. Try again later."

Api = Annotated[str, typer.Option(help="Address of the price API.", show_default=True)]


def prices(*, api: Api = API) -> None:
    """Compare the price list with Azure's public prices. Needs no account, and changes nothing."""
    from captioning.budget.prices import PriceList
    from captioning.budget.retail import differences
    from captioning.config.settings import local_environ

    with reported():
        file = local_environ(Path.cwd()).get("PRICES_FILE")
        try:
            listed = PriceList.load(Path(file) if file else None)
        except ValueError as error:
            console.complain(f"PRICES_FILE {error}")
            raise typer.Exit(2) from error
        found = list(differences(listed.models(), _items(api.rstrip("/"))))
    for each in found:
        if each.retail is None:
            said = "the API has no meter that is called like it"
        else:
            said = (
                f"{each.counted}: {_dollars(each.listed)} in the list, {_dollars(each.retail)} now"
            )
        console.say(f"{each.model:<16} {said}")
    changed = sum(each.retail is not None for each in found)
    console.say(
        f"The list of {listed.date} has {changed} other prices than Azure has today "
        "(Global Standard, US dollars for a million tokens)."
    )
    if changed:
        raise typer.Exit(1)


def _items(api: str) -> Iterator[Any]:
    """The items of all pages."""
    from urllib.parse import urlencode

    from captioning.transport import open_session

    asked = {"api-version": VERSION, "currencyCode": "'USD'", "$filter": FILTER}
    page: str | None = f"{api}/api/retail/prices?{urlencode(asked)}"
    with open_session() as session:
        for _ in range(MOST_PAGES):
            # The next page's address is the API's word: it is not followed to another server.
            if page is None or not page.startswith(f"{api}/"):
                return
            answer = _page(session, page)
            yield from answer["Items"]
            page = answer.get("NextPageLink") or None


def _page(session: Any, url: str) -> dict[str, Any]:
    from captioning.transport import Unanswered, send

    try:
        answer = send(session, "GET", url, headers={}, timeouts=TIMEOUTS)
    except Unanswered as error:
        raise ServiceUnavailable(f"The price API does not answer ({error.reason}).") from error
    if not answer.is_success:
        raise ServiceUnavailable(f"The price API answers {answer.status}. Try again later.")
    try:
        page = json.loads(answer.body)
    except ValueError:
        raise ServiceUnavailable(UNREADABLE) from None
    if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
        raise ServiceUnavailable(UNREADABLE)
    return page


def _dollars(price: float | None) -> str:
    return "no price" if price is None else f"{price:g}"

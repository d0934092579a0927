"""Settings of the webhook: where records are sent, and the keys that sign them."""

from __future__ import annotations

from dataclasses import dataclass, field

from captioning.addresses import check_address, fits_a_header
from captioning.config.environment import Environment
from captioning.webhook.payload import key_of


@dataclass(frozen=True, slots=True)
class Webhook:
    """Both may be secret: an address often holds a token."""

    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)


def webhook(env: Environment) -> Webhook | None:
    """The receiver, or None."""
    url, secrets = env.text("NOTIFY_URL"), env.text("NOTIFY_KEY").replace(",", " ").split()
    if not url:
        return None
    try:
        check_address(url.partition("?")[0], "NOTIFY_URL")
        if not fits_a_header(url) or "#" in url or "\\" in url:
            raise ValueError("NOTIFY_URL has characters that no address has")
    except ValueError as error:
        env.problem("NOTIFY_URL", str(error).removeprefix("NOTIFY_URL").strip())
    if not secrets:
        env.problem("NOTIFY_KEY", "is required with NOTIFY_URL: receivers know the app by it")
    keys = []
    for secret in secrets:
        try:
            keys.append(key_of(secret))
        except ValueError as error:
            env.problem("NOTIFY_KEY", str(error))
    return Webhook(url, tuple(keys))

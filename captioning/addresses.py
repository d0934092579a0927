"""Addresses of services, and what may be sent to them: keys over https, or to this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def check_address(url: str, setting: str, *, has_key: bool = True) -> SplitResult:
    """The parts of a base address.

    ValueError if it is none, or if a key would be sent unencrypted. The text names the setting and
    does not quote the address.
    """
    try:
        parts = urlsplit(url)
        bare = parts.port != 0 and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        raise ValueError(f"{setting} is not an address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not bare:
        raise ValueError(f"{setting} must be an address like https://NAME.example.com")
    if has_key and parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError(f"{setting} must be https (http only on this machine): a key goes there")
    return parts


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def fits_a_header(secret: str) -> bool:
    """Whether a key or token can be sent in an HTTP header."""
    return bool(secret) and secret.isascii() and secret.isprintable() and " " not in secret

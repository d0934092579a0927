"""Storage behind a proxy that changes its answers, beside the same storage as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from captioning.embedded.stack.azurite import StoragePorts
from testing.fakes.forwarding import Answer
from testing.fakes.storage_proxy import StorageProxy
from testing.harness.storage import Storage


@dataclass
class Behind:
    """Storage as it is, and the same storage behind a proxy."""

    proxy: StorageProxy
    storage: Storage
    proxied: Storage

    @contextmanager
    def refusing(self, status: int, code: str) -> Iterator[None]:
        """Has the Blob service give neither properties nor content of a blob, as it does where one
        is encrypted with a customer's key, say. Listings go on."""

        def refused(_: str, method: str, answer: Answer) -> Answer:
            is_blob = any(name.lower() == "x-ms-blob-type" for name, _ in answer[1])
            if not is_blob or method not in {"HEAD", "GET"}:
                return answer
            return status, [("x-ms-request-id", "1"), ("x-ms-error-code", code)], b""

        before, self.proxy.garble = self.proxy.garble, refused
        yield
        self.proxy.garble = before


@contextmanager
def proxied(storage: Storage) -> Iterator[Behind]:
    """A proxy before the storage."""
    with ExitStack() as stack:
        found = re.findall(
            r"(Blob|Queue|Table)Endpoint=http://127\.0\.0\.1:(\d+)", storage.connection
        )
        ports = StoragePorts(**{name.lower(): int(port) for name, port in found})
        proxy = stack.enter_context(StorageProxy(ports))
        yield Behind(proxy, storage, Storage(proxy.connection_string, storage.name, stack))

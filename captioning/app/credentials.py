"""The app's identity. The home of azure-identity, which takes long to import and is imported at its
first use only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError

from captioning.config.settings import Settings
from captioning.errors import AuthRefused, ServiceUnavailable


def identity_of(settings: Settings) -> Callable[[], TokenCredential]:
    """A source of the app's credential, which is made once: the managed identity in Azure; on a
    laptop the account that is signed in (`az login`)."""

    @cache
    def credential() -> TokenCredential:
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

        if settings.storage.managed:
            return ManagedIdentityCredential(client_id=settings.storage.client_id)
        return DefaultAzureCredential()

    return credential


def token_provider(credential: TokenCredential, scope: str) -> Callable[[], str]:
    """A source of bearer tokens for a scope; raises AuthRefused or ServiceUnavailable."""
    from azure.identity import get_bearer_token_provider

    provide = get_bearer_token_provider(credential, scope)

    def token() -> str:
        try:
            return provide()
        except ClientAuthenticationError as error:
            raise AuthRefused(
                "Microsoft Entra issued no token for the app's identity. Check the identity of the "
                "app (in Azure) or sign in with `az login` (on a laptop)."
            ) from error
        except AzureError as error:
            raise ServiceUnavailable("The identity service could not be reached.") from error

    return token

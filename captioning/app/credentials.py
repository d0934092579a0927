"""The app's identity. The home of azure-identity."""

from __future__ import annotations

from collections.abc import Callable

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import (
    DefaultAzureCredential,
    ManagedIdentityCredential,
    get_bearer_token_provider,
)

from captioning.errors import AuthRefused, ServiceUnavailable


def app_credential(*, managed: bool, client_id: str | None) -> TokenCredential:
    """The managed identity in Azure; on a laptop whoever is signed in (`az login`)."""
    if managed:
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential()


def token_provider(credential: TokenCredential, scope: str) -> Callable[[], str]:
    """A source of bearer tokens for a scope; raises AuthRefused or ServiceUnavailable."""
    provide = get_bearer_token_provider(credential, scope)

    def token() -> str:
        try:
            return provide()
        except ClientAuthenticationError as error:
            raise AuthRefused(
                "No Microsoft Entra token could be had for the app's identity. Check the identity "
                "of the app (in Azure) or sign in with `az login` (on a laptop)."
            ) from error
        except AzureError as error:
            raise ServiceUnavailable("The identity service could not be reached.") from error

    return token

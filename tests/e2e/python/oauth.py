"""The OAuth client that both Python drivers configure: in memory, with nobody at the browser."""

from collections.abc import Callable
from typing import Any

from browser import REDIRECT_URI, authorize
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken


class Memory(TokenStorage):
    """Tokens and registration of one client."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider(
    url: str, memory: Memory, outcome: Callable[[dict[str, str]], Any]
) -> OAuthClientProvider:
    """The SDK's own OAuth; `outcome` puts the redirect's parameters into the SDK's form."""
    answer: dict[str, str] = {}

    async def redirect(authorization_url: str) -> None:
        answer.clear()
        answer.update(await authorize(authorization_url))

    async def callback() -> Any:
        return outcome(answer)

    metadata = OAuthClientMetadata(
        client_name="e2e",
        redirect_uris=[REDIRECT_URI],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(url, metadata, memory, redirect, callback)

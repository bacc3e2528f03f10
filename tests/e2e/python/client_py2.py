"""The official Python client 2.x, driven by lines of JSON (see steps.py)."""

from typing import Any

import anyio
import httpx2
from browser import REDIRECT_URI, authorize
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from steps import Script, run


class Storage(TokenStorage):
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


def oauth(url: str, storage: Storage) -> OAuthClientProvider:
    answer: dict[str, str] = {}

    async def redirect(authorization_url: str) -> None:
        answer.update(await authorize(authorization_url))

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(
            code=answer["code"], state=answer.get("state"), iss=answer.get("iss")
        )

    metadata = OAuthClientMetadata(
        client_name="py2",
        redirect_uris=[REDIRECT_URI],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(url, metadata, storage, redirect, callback)


async def session(settings: dict[str, Any], script: Script) -> None:
    storage = Storage()
    headers = dict(settings.get("headers", {}))
    if "token" in settings:
        headers["authorization"] = f"Bearer {settings['token']}"
    auth = oauth(settings["url"], storage) if settings.get("oauth") else None
    async with httpx2.AsyncClient(headers=headers, auth=auth, timeout=30) as http:
        transport = streamable_http_client(settings["url"], http_client=http)
        async with Client(transport, mode=settings.get("mode", "auto"), cache=None) as client:

            async def list_tools(_: dict[str, Any]) -> Any:
                return sorted(tool.name for tool in (await client.list_tools()).tools)

            async def call_tool(line: dict[str, Any]) -> Any:
                progress: list[float] = []

                async def on_progress(
                    value: float, total: float | None, message: str | None
                ) -> None:
                    progress.append(value)

                result = await client.call_tool(
                    line["name"], line.get("arguments", {}), progress_callback=on_progress
                )
                return result.model_dump(mode="json", by_alias=True, exclude_none=True) | {
                    "progress": progress
                }

            async def tokens(_: dict[str, Any]) -> Any:
                return storage.tokens and storage.tokens.model_dump(mode="json")

            await script.serve(
                {"list_tools": list_tools, "call_tool": call_tool, "tokens": tokens},
                {"server": client.server_info.name, "protocol": client.protocol_version},
            )


anyio.run(run, session)

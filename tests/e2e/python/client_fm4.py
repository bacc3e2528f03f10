"""The client of FastMCP 4.x, driven by lines of JSON (see steps.py).

Its `call_tool` raises what it is told of a failed call. Its own OAuth starts $BROWSER.
"""

from types import SimpleNamespace
from typing import Any

import httpx2
from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.transports import StreamableHttpTransport
from steps import STEP_SECONDS, Script, run


class Token(httpx2.Auth):
    """The headers of the settings as they are when a request is made."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def auth_flow(self, request: httpx2.Request) -> Any:
        request.headers.update(self.script.headers)
        yield request


class Steps:
    """The client in the form that the steps take."""

    def __init__(self, client: Client, auth: httpx2.Auth) -> None:
        self.client = client
        self.auth = auth

    async def list_tools(self) -> Any:
        return SimpleNamespace(tools=await self.client.list_tools())

    async def call_tool(self, name: str, arguments: dict[str, Any], **_: Any) -> Any:
        result = await self.client.call_tool(name, arguments)
        content = [item.model_dump(mode="json", exclude_none=True) for item in result.content]
        return SimpleNamespace(model_dump=lambda **_: {"content": content})

    async def tokens(self) -> dict[str, Any]:
        """What its OAuth has."""
        return self.auth.context.current_tokens.model_dump(mode="json")


async def session(script: Script) -> None:
    """One session, from connecting to the end of input."""
    auth = OAuth() if script.settings.get("oauth") else Token(script)
    transport = StreamableHttpTransport(script.url, auth=auth)
    mode = script.settings.get("mode", "auto")
    async with Client(transport, timeout=STEP_SECONDS, mode=mode) as client:
        await script.serve(Steps(client, auth), client.server_info.name)


run(session)

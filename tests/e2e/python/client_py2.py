"""The official Python client 2.x, driven by lines of JSON (see steps.py)."""

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult
from oauth import provider
from steps import STEP_SECONDS, Script, run


async def session(script: Script) -> None:
    """One session, from connecting to the end of input."""
    auth = None
    if script.settings.get("oauth"):
        auth = provider(script.url, script.memory, AuthorizationCodeResult.model_validate)
    async with httpx2.AsyncClient(headers=script.headers, auth=auth, timeout=STEP_SECONDS) as http:
        transport = streamable_http_client(script.url, http_client=http)
        mode = script.settings.get("mode", "auto")
        async with Client(transport, mode=mode, cache=None) as client:
            await script.serve(client, client.server_info.name)


run(session)

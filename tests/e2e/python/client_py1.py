"""The official Python client 1.x, driven by lines of JSON (see steps.py)."""

import anyio
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
from oauth import provider
from steps import STEP_SECONDS, Script, run


async def session(script: Script) -> None:
    """One session, from connecting to the end of input."""
    auth = None
    if script.settings.get("oauth"):
        auth = provider(script.url, script.memory, lambda seen: (seen["code"], seen.get("state")))
    connect = sse_client if script.url.endswith("/sse") else streamablehttp_client
    transport = connect(script.url, headers=script.headers, auth=auth)
    async with transport as (read, write, *_), ClientSession(read, write) as client:
        with anyio.fail_after(STEP_SECONDS):
            hello = await client.initialize()
        await script.serve(client, hello.serverInfo.name)


run(session)

"""The adapter of LangChain, driven by lines of JSON (see steps.py).

Each call is a session of its own, as `get_tools` has it. What the model would be told of a failed
call is the result.
"""

from types import SimpleNamespace
from typing import Any

import httpx
from langchain_mcp_adapters.client import MultiServerMCPClient
from steps import Script, run


class Token(httpx.Auth):
    """The headers of the settings as they are when a request is made."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers.update(self.script.headers)
        yield request


class Steps:
    """The adapter in the form that the steps take."""

    def __init__(self, client: MultiServerMCPClient) -> None:
        self.client = client
        self.tools: dict[str, Any] = {}

    async def list_tools(self) -> Any:
        self.tools = {tool.name: tool for tool in await self.client.get_tools()}
        return SimpleNamespace(tools=list(self.tools.values()))

    async def call_tool(self, name: str, arguments: dict[str, Any], **_: Any) -> Any:
        call = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
        message = await self.tools[name].ainvoke(call)
        told = {"content": message.content, "isError": message.status == "error"}
        return SimpleNamespace(model_dump=lambda **_: told)


async def session(script: Script) -> None:
    """Connects for the list, and for each call."""
    connection = {
        "transport": "streamable_http",
        "url": script.url,
        "auth": Token(script),
    }
    steps = Steps(MultiServerMCPClient({"notes": connection}))
    await steps.list_tools()
    await script.serve(steps, "notes")


run(session)

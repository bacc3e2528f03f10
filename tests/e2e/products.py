"""Clients that people run as programs: how each is told of a server, and what its user sees."""

import itertools
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from clients import STEP_SECONDS, Client
from processes import Process, free_port
from tools import HERE, NODE, NODE_DIR

PACKAGES = NODE_DIR / "node_modules"
INSPECTOR = PACKAGES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"


class Seen(NamedTuple):
    """What the user sees of one step."""

    ok: bool
    """Whether it looks like a success."""
    text: str
    """All that is shown."""
    status: int | None = None
    """The exit status, where the step is a program."""


def home(directory: Path) -> dict[str, str]:
    """An environment in which programs keep what they have in `directory`.

    The browser that they start signs in without anybody, and is there as $BROWSER and as xdg-open.
    """
    programs = directory / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    browser = programs / "xdg-open"
    visit = shlex.join([sys.executable, str(HERE / "python" / "visit.py")])
    log = shlex.quote(str(directory / "browser.log"))
    browser.write_text(f'#!/bin/sh\n{visit} "$1" >>{log} 2>&1 &\n')
    browser.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
    own["PATH"] = f"{programs}{os.pathsep}{own['PATH']}"
    return own | {
        "HOME": str(directory),
        "BROWSER": str(browser),
        "MCP_REMOTE_CONFIG_DIR": str(directory / "mcp-remote"),
        # The Inspector starts a browser by itself only at a terminal, or when told so.
        "MCP_AUTO_OPEN_ENABLED": "true",
        "MCP_INSPECTOR_SECRET_STORE": "file",
        "PYTHONUNBUFFERED": "1",
    }


class Product:
    """One client that knows one server; use it as a context."""

    kind = ""

    def __init__(self, url: str, directory: Path, token: str | None = None) -> None:
        self.url = url
        self.token = token
        self.directory = directory
        self.env = home(directory)

    def __enter__(self) -> "Product":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""

    def tools(self) -> list[str]:
        """The names of the tools it shows."""
        raise NotImplementedError

    def call(self, tool: str, /, **arguments: Any) -> Seen:
        """Calls a tool."""
        raise NotImplementedError


class Driven(Product):
    """A library, driven by our script."""

    script = ""

    def __init__(self, url: str, directory: Path, token: str | None = None) -> None:
        super().__init__(url, directory, token)
        settings = {"oauth": True} if token is None else {"token": token}
        self.client = Client(self.script, url, directory, env=self.env, **settings)

    def __enter__(self) -> "Driven":
        self.client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.__exit__()

    def tools(self) -> list[str]:
        return self.client.list("tools")

    def call(self, tool: str, /, **arguments: Any) -> Seen:
        reply = self.client.call(tool, **arguments)
        if not reply.ok:
            return Seen(False, reply["error"]["message"])
        return Seen(not reply["result"].get("isError", False), reply.text)


class FastMcp(Driven):
    """FastMCP's client (PyPI fastmcp)."""

    script = "fm4"


class LangChain(Driven):
    """LangChain's adapter (PyPI langchain-mcp-adapters)."""

    script = "langchain"


class Rmcp(Driven):
    """The Rust SDK (crate rmcp)."""

    script = "rmcp"


class McpRemote(Product):
    """npm mcp-remote: for its user a server on stdio. Messages are what a host would send it."""

    def __init__(self, url: str, directory: Path, token: str | None = None) -> None:
        super().__init__(url, directory, token)
        self.ids = itertools.count(1)
        self.process: Process | None = None

    def __enter__(self) -> "McpRemote":
        argv = [NODE, PACKAGES / "mcp-remote/dist/proxy.js", self.url]
        argv += ["--allow-http", "--transport", "http-only"]
        if self.token is not None:
            argv += ["--header", f"Authorization: Bearer {self.token}"]
        self.process = Process("mcp-remote", argv, self.directory, env=self.env)
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "host", "version": "1"},
        }
        self.connected = self.request("initialize", **params)
        self.send({"method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def send(self, message: dict[str, Any]) -> None:
        """Sends one message."""
        self.process.write(json.dumps({"jsonrpc": "2.0"} | message))

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a request, and gives the answer to it."""
        own = next(self.ids)
        self.send({"id": own, "method": method, "params": params})
        while True:
            message = json.loads(self.process.line(STEP_SECONDS))
            if message.get("id") == own and "method" not in message:
                return message

    def tools(self) -> list[str]:
        listed = self.request("tools/list")
        return sorted(tool["name"] for tool in listed["result"]["tools"])

    def call(self, tool: str, /, **arguments: Any) -> Seen:
        answer = self.request("tools/call", name=tool, arguments=arguments)
        if "error" in answer:
            return Seen(False, answer["error"]["message"])
        result = answer["result"]
        return Seen(not result.get("isError", False), result["content"][0]["text"])


class Program(Product):
    """A program that connects for each step."""

    def run(self, *arguments: object, say: str = "") -> subprocess.CompletedProcess[str]:
        """Runs it to its end, with this as its input."""
        return subprocess.run(
            [NODE, *map(str, arguments)],
            env=self.env,
            cwd=self.directory,
            input=say,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
        )


def seen(ran: subprocess.CompletedProcess[str]) -> Seen:
    """What the user of a program sees."""
    return Seen(ran.returncode == 0, ran.stdout + ran.stderr, ran.returncode)


class Inspector(Program):
    """The command line of npm @modelcontextprotocol/inspector."""

    def __init__(self, url: str, directory: Path, token: str | None = None) -> None:
        super().__init__(url, directory, token)
        self.callback = f"http://127.0.0.1:{free_port()}/oauth/callback"

    def method(self, method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one method of MCP."""
        common = [INSPECTOR, "--cli", self.url, "--transport", "http", "--format", "json"]
        common += ["--callback-url", self.callback]
        if self.token is not None:
            common += ["--header", f"Authorization: Bearer {self.token}"]
        # It asks before it steps up.
        return self.run(*common, "--method", method, *arguments, say="y\n")

    def tools(self) -> list[str]:
        ran = self.method("tools/list")
        assert ran.returncode == 0, ran
        return sorted(tool["name"] for tool in json.loads(ran.stdout)["result"]["tools"])

    def call(self, tool: str, /, **arguments: Any) -> Seen:
        given = ["--tool-name", tool, "--tool-args-json", json.dumps(arguments)]
        return seen(self.method("tools/call", *given))


class Mcporter(Program):
    """npm mcporter."""

    def __init__(self, url: str, directory: Path, token: str | None = None) -> None:
        super().__init__(url, directory, token)
        server: dict[str, Any] = {"url": url}
        if token is None:
            server |= {"auth": "oauth", "tokenCacheDir": str(directory / "mcporter")}
        else:
            server |= {"headers": {"Authorization": f"Bearer {token}"}}
        self.config = directory / "mcporter.json"
        self.config.write_text(json.dumps({"mcpServers": {"notes": server}, "imports": []}))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command."""
        script = PACKAGES / "mcporter/dist/cli.js"
        return self.run(script, "--config", str(self.config), *arguments)

    def tools(self) -> list[str]:
        ran = self.command("list", "notes", "--json")
        assert ran.returncode == 0, ran
        return sorted(tool["name"] for tool in json.loads(ran.stdout)["tools"])

    def call(self, tool: str, /, **arguments: Any) -> Seen:
        return seen(self.command("call", f"notes.{tool}", "--args", json.dumps(arguments)))


PRODUCTS = {
    "mcp-remote": McpRemote,
    "inspector": Inspector,
    "mcporter": Mcporter,
    "fastmcp": FastMcp,
    "langchain": LangChain,
    "rmcp": Rmcp,
}

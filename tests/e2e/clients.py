"""The official MCP clients as the tests use them: one process each, one step at a time."""

import json
from pathlib import Path
from typing import Any

from processes import Process
from tools import sdk_script

# Every official client; the last speaks the stateless revision where the server does too, as py2
# does by itself.
CLIENTS = ["py1", "py2", "ts1", "ts2", "ts2-modern"]
SERVERS = ["py1", "py2", "ts1", "ts2"]
STEP_SECONDS = 40
SIGN_IN_SECONDS = 80


class Reply(dict):
    """What became of one step."""

    @property
    def ok(self) -> bool:
        """Whether the client gave a result rather than an error."""
        return self["ok"]

    @property
    def text(self) -> str:
        """The text of a tool's result."""
        return self["result"]["content"][0]["text"]

    @property
    def denial(self) -> dict[str, Any]:
        """What the client was told about a denial: a result's `_meta`, or an error's `data`."""
        if self.ok:
            assert self["result"].get("isError") is True, self
            return self["result"]["_meta"]
        return self["error"]["data"]


class Client:
    """One client process, connected when entered."""

    def __init__(
        self,
        kind: str,
        url: str,
        run_dir: Path,
        env: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.kind = kind
        sdk, _, modern = kind.partition("-")
        argv = sdk_script("client", sdk)
        self.settings = {"url": url} | settings | ({"mode": "auto"} if modern else {})
        self.process = Process(f"client-{kind}", argv, run_dir, env=env)
        self.connected = Reply()

    def __enter__(self) -> "Client":
        # Who signs in takes longer.
        seconds = SIGN_IN_SECONDS if self.settings.get("oauth") else STEP_SECONDS
        self.connected = self._send(self.settings, seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def list(self, what: str) -> list[str]:
        """The names or URIs of the `tools`, `prompts`, `resources` or `templates` it is shown."""
        listed = self._step({"do": f"list_{what}"})
        assert listed.ok, listed
        return listed["result"]

    def get_prompt(self, name: str, **arguments: str) -> Reply:
        """Gets a prompt."""
        return self._step({"do": "get_prompt", "name": name, "arguments": arguments})

    def read_resource(self, uri: str) -> Reply:
        """Reads a resource."""
        return self._step({"do": "read_resource", "uri": uri})

    def call(self, tool: str, /, **arguments: Any) -> Reply:
        """Calls a tool."""
        return self._step({"do": "call_tool", "name": tool, "arguments": arguments})

    def tokens(self) -> dict[str, Any]:
        """The tokens that the client obtained by OAuth."""
        return self._step({"do": "tokens"})["result"]

    def use_token(self, token: str) -> None:
        """From now on sends this token. Only the drivers of what is no official SDK know how."""
        assert self._step({"do": "use_token", "token": token}).ok

    def _step(self, line: dict[str, Any]) -> Reply:
        assert self.connected.ok, f"{self.kind} did not connect: {self.connected['error']}"
        return self._send(line)

    def _send(self, line: dict[str, Any], seconds: float = STEP_SECONDS) -> Reply:
        self.process.write(json.dumps(line))
        return Reply(json.loads(self.process.line(seconds)))

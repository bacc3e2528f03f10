"""Where the programs are that `tests/run` installed."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / "target" / "tools"
RUNS = ROOT / "target" / "e2e"
AUTHZ = Path(os.environ.get("MCP_AUTHZ_BIN", ROOT / "target" / "debug" / "mcp-authz"))
ENVOY = TOOLS / "envoy" / "envoy" / "_bin" / "envoy"
NODE_DIR = TOOLS / "node"
NODE = NODE_DIR / "bin" / "node"
EXAMPLES = ROOT / "target" / "debug" / "examples"


def node(script: str, *arguments: str) -> list[str]:
    """The command line of one of our Node scripts, which stand beside their packages."""
    return [str(NODE), str(NODE_DIR / script), *arguments]


def sdk_script(what: str, sdk: str, *arguments: str) -> list[str]:
    """The command line of our script for one SDK, such as the `client` of `py1`."""
    if sdk == "rmcp":
        return [str(EXAMPLES / f"{what}_{sdk}"), *arguments]
    if sdk.startswith("ts"):
        return node(f"{what}_{sdk}.mjs", *arguments)
    python = TOOLS / sdk / "bin" / "python"
    return [str(python), str(HERE / "python" / f"{what}_{sdk}.py"), *arguments]

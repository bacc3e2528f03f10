"""The servers under attack: real builds of MCP servers, and readers that do as Go's and Java's.

Each tells what ran, see `python/attacked.py`, `python/attacked_go.py` and `node/attacked.mjs`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from gate import Upstream
from processes import Process, free_port, wait_for
from tools import HERE, NODE_DIR, node, sdk_script
from wire import HEADERS, INITIALIZE, list_message

SETTINGS = {
    "audiences": ["attacks"],
    # One session serves all attackers of a build that wants one.
    "session_binding": "off",
    "batch_max": 1000,
}
PYDANTIC = {
    "force": ["flag", "flag_opt", "flag_strict", "flag_any"],
    "n": ["level", "level_opt", "level_float", "level_decimal", "level_enum"],
    "owner": ["owner", "owner_opt", "owner_any", "owner_lower", "owner_folded", "owner_composed"]
    + ["owner_enum", "owner_number"],
    "tags": ["tags", "tags_lower", "tags_any"],
    "ids": ["ids"],
    "day": ["day"],
    "opts": ["options"],
    "rows": ["rows"],
    "aliased": ["aliased"],
}
ZOD = {
    "force": [
        "flag",
        "flag_coerce",
        "flag_words",
        "flag_lower",
        "flag_json",
        "flag_schema",
        "flag_any",
    ],
    "n": ["level", "level_coerce", "level_schema", "level_parsed"],
    "owner": ["owner", "owner_coerce", "owner_lower", "owner_composed", "owner_enum"]
    + ["owner_schema"],
    "tags": ["tags", "tags_json", "tags_wrapped", "tags_split", "tags_schema"],
    "ids": ["ids", "ids_coerce", "ids_schema"],
    "day": ["day"],
    "opts": ["options", "options_coerce", "options_json"],
    "rows": ["rows", "rows_coerce"],
}
GO = {
    "force": ["flag", "flag_string", "flag_lenient"],
    "n": ["level", "level_string", "level_float", "level_lenient"],
    "owner": ["owner", "owner_string", "owner_lenient"],
    "tags": ["tags"],
    "ids": ["ids"],
    "opts": ["options"],
    "rows": ["rows"],
    "skip": ["keys"],
    "key": ["keys"],
    "dry": ["dry"],
}
TEMPLATES = {"leaf", "item", "web", "tree", "logs"}


@dataclass
class Build:
    """One build of a server, as the gate guards it."""

    name: str
    real: bool
    """A published SDK or server, no reader of ours."""
    tools: dict[str, list[str]] = field(default_factory=dict)
    """The tools that take an argument, by its name."""
    templates: set[str] = field(default_factory=set)
    prompts: bool = False
    completes: bool = False
    subscribes: bool = False
    batches: bool = False
    of: str | None = None
    """The build whose process this one shares."""
    settings: dict[str, Any] = field(default_factory=dict)
    checked: bool = False
    """Its tools are recorded, and their arguments have to fit what is recorded."""
    compares: bool = False
    """Guarded as a server that compares the texts of URIs, and attacked where it does."""
    session: str | None = None


BUILDS = [
    Build(
        "py1",
        True,
        PYDANTIC,
        TEMPLATES - {"tree", "logs"},
        prompts=True,
        completes=True,
        subscribes=True,
    ),
    Build("py2", True, PYDANTIC, TEMPLATES, prompts=True, completes=True),
    Build("fm2", True, PYDANTIC, TEMPLATES, prompts=True),
    Build("fm4", True, PYDANTIC, TEMPLATES, prompts=True),
    Build("ts1", True, ZOD, TEMPLATES, prompts=True, completes=True, subscribes=True, batches=True),
    Build("ts2", True, ZOD, TEMPLATES, prompts=True, completes=True, subscribes=True),
    Build("everything", True, {"message": ["echo"]}),
    Build("py2-strict", True, {}, TEMPLATES, of="py2", settings={"uris": "strict"}),
    Build("py2-opaque", True, {}, of="py2", settings={"uris": "opaque"}, compares=True),
    Build("ts1-strict", True, {}, TEMPLATES, of="ts1", settings={"uris": "strict"}),
    Build("py1-checked", True, PYDANTIC, of="py1", checked=True),
    Build("fm4-checked", True, PYDANTIC, of="fm4", checked=True),
    Build("go", False, GO, batches=True),
    Build("go-folds", False, GO, of="go", settings={"fold_arguments": "accept"}),
]


@dataclass
class Running:
    """The processes, and where the gate finds them."""

    processes: list[Process]
    upstreams: list[Upstream]

    def stop(self) -> None:
        """Ends all of them."""
        for process in self.processes:
            process.stop()


def start(run_dir: Path) -> Running:
    """Starts all builds, then waits for each."""
    processes: dict[str, Process] = {}
    for build in BUILDS:
        if build.of is None and build.name != "everything":
            processes[build.name] = Process(build.name, _command(build.name), run_dir)
    running = Running(list(processes.values()), [])
    try:
        ports = {name: process.port() for name, process in processes.items()}
        ports["everything"] = free_port()
        running.processes.append(_everything(ports["everything"], run_dir))
        for build in BUILDS:
            port = ports[build.of or build.name]
            settings = SETTINGS | build.settings
            if build.checked:
                file = run_dir / f"{build.name}.json"
                file.write_text(json.dumps(_list(port)))
                settings |= {"tools_snapshot": str(file), "check_arguments": True}
            running.upstreams.append(Upstream(build.name, port, "/mcp", True, settings))
        for build in BUILDS:
            if build.name in ("ts1", "everything"):
                build.session = _open_session(ports[build.name])
            if build.of == "ts1":
                build.session = next(one.session for one in BUILDS if one.name == "ts1")
    except BaseException:
        running.stop()
        raise
    return running


def _command(name: str) -> list[str]:
    if name == "go":
        python = sdk_script("attacked", "pytest")[0]
        return [python, str(HERE / "python" / "attacked_go.py"), "/mcp"]
    return sdk_script("attacked", name, "/mcp")


def _everything(port: int, run_dir: Path) -> Process:
    script = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    environment = {"PORT": str(port), "PATH": str(NODE_DIR / "bin")}
    return Process("everything", node(script, "streamableHttp"), run_dir, env=environment)


def _list(port: int) -> dict[str, Any]:
    """The tools of a server without sessions."""
    url = f"http://127.0.0.1:{port}/mcp"

    def listed() -> dict[str, Any]:
        try:
            answer = httpx.post(url, json=list_message(), headers=HEADERS)
        except httpx.TransportError as error:
            raise AssertionError(f"no server yet: {error}") from error
        return answer.json()["result"]

    return wait_for(f"tools on port {port}", listed)


def _open_session(port: int) -> str:
    def opened() -> str:
        headers = {"accept": "application/json, text/event-stream"}
        url = f"http://127.0.0.1:{port}/mcp"
        try:
            answer = httpx.post(url, json=INITIALIZE, headers=headers)
        except httpx.TransportError as error:
            raise AssertionError(f"no server yet: {error}") from error
        assert answer.status_code == 200, answer.text
        return answer.headers["mcp-session-id"]

    return wait_for(f"session on port {port}", opened)


def told(build: str, answer: Any) -> list[dict[str, Any]]:
    """Everything that an answer tells to have run."""
    if build == "everything":
        return _told_by_everything(answer)
    found = []
    for text in texts(answer):
        if text.startswith('{"ran":'):
            found.append(json.loads(text))
    return found


def texts(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for member in value for text in texts(member)]
    return []


def _told_by_everything(answer: Any) -> list[dict[str, Any]]:
    """What server-everything says by what it gives."""
    result = answer.get("result", {}) if isinstance(answer, dict) else {}
    found = []
    for part in result.get("contents", []):
        if part.get("text") or part.get("blob"):
            # Both the handler of a document and that of a template give the URI that was looked up.
            found.append({"ran": "document", "got": {"uri": part["uri"]}})
    for part in result.get("content", []):
        text = part.get("text", "")
        if text.startswith("Echo: "):
            found.append({"ran": "echo", "got": {"message": text.removeprefix("Echo: ")}})
    return found

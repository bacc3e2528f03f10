"""What operators tell a running service: a caller is let in again, and listed tools are in the matrix."""

import json
import subprocess

import pytest
from gate import Gate, Upstream
from scripted import answer, result, scripted, tool
from tools import AUTHZ
from wire import call_message, fetch, list_message

READ = tool("get_note", "Gets a note.")
POLICY = {
    "tools": {"notes": {"read": ["get_*"]}},
    "rules": [
        {
            "id": "members-read",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": ["notes"], "classes": ["read"]},
        },
        {
            "id": "quarantine",
            "effect": "deny",
            "why": {"denials": {"more_than": 2, "per": "1h", "by": ["subject", "agent"]}},
        },
    ],
}


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gate(run_dir, upstream, key):
    upstreams = [Upstream("notes", upstream.port, "/notes/mcp")]
    with Gate(run_dir / "admin", upstreams, POLICY, key=key) as gate:
        yield gate


@pytest.fixture
def called(gate, upstream):
    """The reason for which a call is denied; none if it reaches the server."""

    def called(name, subject):
        upstream.says(answer(result(content=[])))
        token = gate.token("notes", subject=subject)
        got = json.loads(fetch(gate.url("notes"), token, call_message(name)).body)
        return got["result"].get("_meta", {}).get("reason")

    return called


@pytest.fixture
def command(gate):
    """Runs a command beside the service: its status and what it printed."""

    def command(*arguments, stdin=""):
        line = [AUTHZ, *arguments]
        ran = subprocess.run(line, input=stdin, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout, ran.stderr

    return command


def test_a_quarantined_caller_is_denied_cleared_and_allowed(gate, called, command):
    for subject in ("mallory", "trent"):
        assert called("get_note", subject) is None
        for _ in range(3):
            assert called("wipe", subject) == "no_matching_rule"
        assert called("get_note", subject) == "denied_by_rule"

    admin = ["clear", "--admin", str(gate.admin.base_url), "--issuer", gate.issuer]
    status, _, _ = command(*admin, "--subject", "Mallory", "--reason", "misspelt")
    assert status == 1
    assert called("get_note", "mallory") == "denied_by_rule"

    status, out, err = command(*admin, "--subject", "mallory", "--reason", "a faulty agent")
    assert (status, err) == (0, "")
    assert out == "forgot 1 count(s)\n  quarantine: 1\n"
    assert called("get_note", "mallory") is None
    assert called("get_note", "trent") == "denied_by_rule"
    events = gate.audit(event="counts_cleared", subject="mallory")
    assert [(one["reason"], one["rules"]) for one in events] == [("a faulty agent", ["quarantine"])]
    assert [one["forgotten"] for one in gate.audit(event="counts_cleared")] == [0, 1]


def test_listed_tools_are_in_the_matrix(gate, upstream, command):
    upstream.says(answer(result(tools=[READ, tool("get_secret", "New."), tool("wipe", "Wipes.")])))
    fetch(gate.url("notes"), gate.token("notes"), list_message())
    page = gate.admin.get("/tools").json()
    [server] = page["servers"]
    assert (server["server"], server["truncated"]) == ("notes", False)
    assert [(one["name"], one["class"], one["recorded"]) for one in server["tools"]] == [
        ("get_note", "read", False),
        ("get_secret", "read", False),
        ("wipe", "unclassified", False),
    ]
    assert all(one["first_seen"] <= one["last_seen"] <= page["at"] for one in server["tools"])

    matrix = ["matrix", "--config", str(gate.config_file), "--format", "json"]
    subjects = "subjects: [{name: member, groups: [members], agent: cli}]"
    live = ["--live", str(gate.admin.base_url), "--subjects", "-"]
    status, out, err = command(*matrix, *live, stdin=subjects)
    assert (status, err) == (0, "")
    cells = {(one["tool"], one["subject"]): one for one in json.loads(out)["cells"]}
    assert cells["get_secret", "member"]["outcome"] == "allow"
    assert cells["wipe", "member"]["outcome"] == "deny"
    assert all(cell["live"] for (name, _), cell in cells.items() if name in ("get_secret", "wipe"))

"""The configuration changes while everything runs."""

import json
import os

import yaml
from gate import Gate, Upstream
from processes import wait_for
from scripted import answer, result, scripted, tool
from wire import call_message, fetch, list_message

READ = tool("get_note", "Gets a note.")
WIPE = tool("wipe", "Deletes all.")


def policy(*servers: str) -> dict:
    """A policy that lets everybody read on these servers."""
    rule = {"id": "read", "effect": "allow", "who": {"anyone": True}}
    return {"rules": [rule | {"what": {"servers": [*servers], "tools": ["get_*"]}}]}


def write_config(gate: Gate, config: dict) -> None:
    """Replaces the configuration in one step."""
    fresh = gate.config_file.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(config, sort_keys=False))
    os.replace(fresh, gate.config_file)


def test_a_server_comes_and_goes_while_envoy_has_a_route_for_it(own, key):
    with scripted() as upstream:
        upstreams = [Upstream(name, upstream.port, f"/{name}/mcp") for name in ("one", "two")]
        gate = Gate(own, upstreams, policy("one"), key=key)
        both = yaml.safe_load(gate.config_file.read_text())
        one = both | {"servers": both["servers"][:1]}
        write_config(gate, one)

        def called(server: str) -> int | str | None:
            upstream.says(answer(result(content=[])))
            got = fetch(gate.url(server), gate.token(server), call_message("get_note"))
            if got.status != 200:
                return got.status
            return json.loads(got.body)["result"].get("_meta", {}).get("reason")

        def listed(server: str) -> list[str]:
            upstream.says(answer(result(tools=[READ, WIPE])))
            got = fetch(gate.url(server), gate.token(server), list_message())
            return [one["name"] for one in json.loads(got.body)["result"]["tools"]]

        def detail() -> dict:
            response = gate.admin.get("/readyz")
            assert response.status_code == 200
            return response.json()["details"]["config"]

        with gate:
            assert called("one") is None
            assert called("two") == 403
            write_config(gate, both)
            wait_for("the server", lambda: called("two") == "no_matching_rule")
            gate.write_policy(yaml.safe_dump(policy("one", "two")))
            wait_for("its policy", lambda: called("two") is None)
            assert listed("two") == ["get_note"]

            # Its policy holds it in place.
            write_config(gate, one)
            wait_for("the refusal", lambda: detail()["failing"] is not None)
            assert called("two") is None
            gate.write_policy(yaml.safe_dump(policy("one")))
            wait_for("its end", lambda: called("two") == 403)
            assert detail()["failing"] is None
            assert called("one") is None
            assert listed("one") == ["get_note"]

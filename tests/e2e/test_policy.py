"""The policy changes while everything runs."""

import time

import httpx
import yaml
from gate import Gate
from keys import claims
from policies import GUARDED, POLICY
from processes import wait_for
from wire import answer, call_message, post

IN_FORCE_SECONDS = 1
CLOSED = POLICY | {
    "rules": [
        *POLICY["rules"],
        {
            "id": "closed-today",
            "effect": "deny",
            "what": {"servers": GUARDED, "tools": ["list_notes"]},
        },
    ]
}
BROKEN = {
    "not YAML": "rules: [",
    "an unknown key": yaml.safe_dump(POLICY | {"rulez": []}),
    "an unknown effect": yaml.safe_dump({"rules": [{"id": "a", "effect": "maybe"}]}),
    "an unknown variable": yaml.safe_dump(
        {
            "rules": [
                {
                    "id": "a",
                    "effect": "allow",
                    "who": {"anyone": True},
                    "what": {"servers": GUARDED},
                    "if": "argz.owner == 'acme'",
                }
            ]
        }
    ),
}


def test_a_broken_policy_changes_nothing_and_a_good_one_is_soon_in_force(own, upstreams, provider):
    with Gate(own, upstreams, POLICY, provider.issuer) as gate, httpx.Client() as http:
        url = gate.url("ts2")
        token = provider.keys[0].sign(claims(provider.issuer, url))

        def reason() -> str | None:
            response = post(http, url, token, call_message("list_notes"))
            assert response.status_code == 200
            return answer(response)["result"].get("_meta", {}).get("reason")

        def state() -> dict:
            response = gate.admin.get("/readyz")
            assert response.status_code == 200  # the old policy serves on
            return response.json()["details"]["policy"]

        assert reason() is None
        good = gate.policy_file.read_text()
        revision = state()["revision"]
        for what, text in BROKEN.items():
            gate.write_policy(text)
            failing = wait_for(f"a report of {what}", lambda: state()["failing"], seconds=5)
            assert failing["errors"] and failing["since"]
            assert "policy_failing 1" in gate.metrics()
            assert state()["revision"] == revision
            assert reason() is None
            gate.write_policy(good)
            wait_for("a clean report", lambda: state()["failing"] is None, seconds=5)
            assert "policy_failing 0" in gate.metrics()

        for text, expected in (
            (yaml.safe_dump(CLOSED), "denied_by_rule"),
            (good, None),
            ("", "no_matching_rule"),  # no rule is a policy too: nothing is allowed
        ):
            gate.write_policy(text)
            since = time.monotonic()
            wait_for("the new policy", lambda: reason() == expected, seconds=5)
            assert time.monotonic() - since < IN_FORCE_SECONDS

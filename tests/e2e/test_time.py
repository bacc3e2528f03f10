"""Rules that time opens and closes."""

from datetime import UTC, datetime, timedelta

import httpx
import yaml
from gate import Gate
from keys import claims
from policies import POLICY
from processes import wait_for
from wire import answer, call_message, post

PER_SECONDS = 2
GRANT_SECONDS = 3


def test_a_rate_limit_opens_again(own, upstreams, provider):
    limit = {
        "id": "two-lists",
        "effect": "limit",
        "what": {"tools": ["list_notes"]},
        "limit": {"calls": 2, "per": f"{PER_SECONDS}s", "by": ["subject"]},
    }
    policy = POLICY | {"rules": [*POLICY["rules"], limit]}
    with Gate(own, upstreams, policy, provider.issuer) as gate, httpx.Client() as http:
        url = gate.url("ts2")
        token = provider.keys[0].sign(claims(provider.issuer, url))
        other = provider.keys[0].sign(claims(provider.issuer, url, subject="somebody-else"))

        def call(token: str, tool: str = "list_notes") -> dict:
            response = post(http, url, token, call_message(tool))
            assert response.status_code == 200
            return answer(response)["result"]

        assert not call(token).get("isError")
        assert not call(token).get("isError")
        meta = call(token)["_meta"]
        assert meta["reason"] == "rate_limited"
        assert 0 < meta["retry_after"] <= PER_SECONDS
        # Others, and other tools, go on.
        assert not call(other).get("isError")
        assert not call(token, "whoami").get("isError")
        wait_for("room for a call", lambda: not call(token).get("isError"), seconds=PER_SECONDS + 3)


def test_a_grant_ends_by_itself(own, upstreams, provider):
    with Gate(own, upstreams, POLICY, provider.issuer) as gate, httpx.Client() as http:
        url = gate.url("ts2")
        mine = claims(provider.issuer, url, "on-call", groups=[], scope="notes:write")
        token = provider.keys[0].sign(mine)

        def reason() -> str | None:
            response = post(http, url, token, call_message("create_note", id="jit", text="b"))
            assert response.status_code == 200
            return answer(response)["result"].get("_meta", {}).get("reason")

        assert reason() == "no_matching_rule"
        until = datetime.now(UTC) + timedelta(seconds=GRANT_SECONDS)
        grant = {
            "id": "just-in-time",
            "effect": "allow",
            "who": {"subjects": ["on-call"]},
            "what": {"servers": ["ts2"], "tools": ["create_note"]},
            "when": {"until": until.isoformat().replace("+00:00", "Z")},
        }
        gate.write_policy(yaml.safe_dump(POLICY | {"rules": [*POLICY["rules"], grant]}))
        wait_for("the grant", lambda: reason() is None, seconds=GRANT_SECONDS)
        wait_for("its end", lambda: reason() == "no_matching_rule", seconds=GRANT_SECONDS + 5)
        assert datetime.now(UTC) >= until

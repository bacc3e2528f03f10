"""Tokens that must not pass, sent through Envoy as they are."""

import hashlib
import hmac
import time

import httpx
import pytest
from keys import Key, assemble, base64url, claims
from wire import answer, call_message, post

CASES = {
    "another audience": "audience_mismatch",
    "expired": "token_expired",
    "another issuer": "unknown_issuer",
    "a key of another type": "algorithm_not_allowed",
    "alg none": "algorithm_not_allowed",
    "HMAC with the public key": "algorithm_not_allowed",
    "an unknown kid": "unknown_key",
    "an embedded jwk": "embedded_key",
    "a forged signature": "invalid_signature",
    "not a token": "malformed_token",
    "no token": "missing_token",
}
CALL = call_message("list_notes")


def hmac_token(key: Key, payload: dict) -> str:
    """HS256 keyed with the provider's public key, the classic confusion of algorithms."""
    unsigned = assemble({"alg": "HS256", "typ": "at+jwt", "kid": key.kid}, payload, b"")[:-1]
    mac = hmac.new(key.public_pem(), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64url(mac)}"


def bad_token(case: str, key: Key, issuer: str, audience: str) -> str | None:
    """The token of a case: good but for the one thing its name says."""
    good = claims(issuer, audience)
    stranger = Key("stranger")
    match case:
        case "another audience":
            return key.sign(good | {"aud": "https://elsewhere.example/mcp"})
        case "expired":
            past = int(time.time()) - 3600
            return key.sign(good | {"iat": past - 600, "exp": past})
        case "another issuer":
            return key.sign(good | {"iss": "https://elsewhere.example"})
        case "a key of another type":
            return Key(key.kid, "ES256").sign(good)
        case "alg none":
            return assemble({"alg": "none", "typ": "at+jwt", "kid": key.kid}, good, b"")
        case "HMAC with the public key":
            return hmac_token(key, good)
        case "an unknown kid":
            return stranger.sign(good)
        case "an embedded jwk":
            return stranger.sign(good, jwk=stranger.jwk())
        case "a forged signature":
            return stranger.sign(good, kid=key.kid)
        case "not a token":
            return "not-a-token"
        case "no token":
            return None
    raise AssertionError(case)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_token_is_401_with_its_reason(gate, key, case):
    url = gate.url("ts2")
    with httpx.Client() as http:
        token = bad_token(case, key, gate.issuer, url)
        response = post(http, url, token, CALL)
        assert response.status_code == 401, response.text
        body = response.json()
        assert body["jsonrpc"] == "2.0"
        assert body["id"] == CALL["id"]
        assert body["error"]["data"]["reason"] == CASES[case]
        challenge = response.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        metadata = f"{gate.origin}/.well-known/oauth-protected-resource/ts2/mcp"
        assert f'resource_metadata="{metadata}"' in challenge
        assert 'scope="notes:read"' in challenge
        assert ('error="invalid_token"' in challenge) is (token is not None)

        good = post(http, url, key.sign(claims(gate.issuer, url)), CALL)
        assert good.status_code == 200
        assert answer(good)["result"]["content"]


def test_metadata_needs_no_token_and_names_the_provider(gate):
    for server in ("py1", "ts2"):
        response = httpx.get(f"{gate.origin}/.well-known/oauth-protected-resource/{server}/mcp")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/json")
        document = response.json()
        assert document["resource"] == gate.url(server)
        assert document["authorization_servers"] == [gate.issuer]
        assert document["scopes_supported"] == ["notes:read"]


@pytest.mark.parametrize(
    ("place", "reason"), [("twice", "repeated_credentials"), ("in the query", "token_in_query")]
)
def test_a_token_in_another_place_is_refused(gate, key, place, reason):
    url = gate.url("ts2")
    token = key.sign(claims(gate.issuer, url))
    with httpx.Client() as http:
        if place == "twice":
            headers = [("authorization", f"Bearer {token}")] * 2
            response = http.post(url, json=CALL, headers=headers)
        else:
            response = http.post(url, params={"access_token": token}, json=CALL)
    assert response.status_code == 400
    assert response.json()["error"]["data"]["reason"] == reason
    assert 'error="invalid_request"' in response.headers["www-authenticate"]

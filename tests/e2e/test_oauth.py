"""The clients' own OAuth against npm oidc-provider, which stands behind the same Envoy."""

import jwt
import pytest
from clients import CLIENTS

UNVERIFIED = {"verify_signature": False, "verify_aud": False, "verify_exp": False}


@pytest.mark.parametrize("kind", CLIENTS)
def test_discovery_ends_in_a_session(connect, gate, kind):
    server = "py2"
    with connect(kind, server, oauth=True) as client:
        assert client.connected.ok, client.connected
        token = jwt.decode(client.tokens()["access_token"], options=UNVERIFIED)
        assert token["iss"] == gate.issuer
        assert token["aud"] == gate.url(server)
        assert token["scope"] == "notes:read"
        assert client.call("get_note", id="first").text == "the first note"
        denied = client.call("delete_note", id="first")
        assert denied.denial["reason"] == "denied_by_rule"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_steps_up_to_the_scope_it_is_challenged_for(connect, kind):
    with connect(kind, "ts2", oauth=True) as client:
        assert client.connected.ok, client.connected
        created = client.call("create_note", id=f"stepped-up-{kind}", text="written")
        assert created.ok, created
        scopes = jwt.decode(client.tokens()["access_token"], options=UNVERIFIED)["scope"]
        # What the client had is not lost, though most ask for the scopes of the challenge alone.
        assert sorted(scopes.split()) == ["notes:read", "notes:write"]
        assert client.call("get_note", id=f"stepped-up-{kind}").text == "written"

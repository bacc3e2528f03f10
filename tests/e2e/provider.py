"""The OAuth provider: npm oidc-provider, see node/provider.mjs."""

import json
from pathlib import Path

import httpx
from keys import Key
from processes import Process, free_port
from tools import node

TOKEN_SECONDS = 600
GROUPS = {"alice": ["members"], "service": ["members"]}


class Provider:
    """One provider. Its keys are ours too, so that tests can sign what it would not."""

    def __init__(self, run_dir: Path, keys: list[Key], port: int | None = None) -> None:
        self.run_dir = run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.keys = keys
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.process: Process | None = None

    def start(self, issuer: str | None = None) -> None:
        """Starts it, under another issuer URL if it stands behind something."""
        self.issuer = issuer or self.issuer
        self._write_keys()
        settings = {
            "issuer": self.issuer,
            "port": self.port,
            "keys_file": str(self.run_dir / "keys.json"),
            "token_seconds": TOKEN_SECONDS,
            "groups": GROUPS,
        }
        config = self.run_dir / "provider.json"
        config.write_text(json.dumps(settings))
        self.process = Process("provider", node("provider.mjs", str(config)), self.run_dir)
        self.process.port()

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.stop()

    def publish(self, keys: list[Key]) -> None:
        """Publishes these keys and signs with the first of them."""
        self.keys = keys
        self._write_keys()
        self._get("/_test/keys")

    def fetched(self, key: Key) -> bool:
        """Whether somebody fetched the key set since it holds `key`."""
        return key.kid in self._get("/_test/fetches")["kids"]

    def token(self, resource: str, scope: str = "notes:read") -> str:
        """An access token for the client `service`, signed by the provider."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/token",
            auth=("service", "service-secret"),
            data={"grant_type": "client_credentials", "resource": resource, "scope": scope},
        )
        return answer.raise_for_status().json()["access_token"]

    def _write_keys(self) -> None:
        keys = [key.jwk(private=True) for key in self.keys]
        (self.run_dir / "keys.json").write_text(json.dumps({"keys": keys}))

    def _get(self, path: str) -> dict:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}").raise_for_status().json()

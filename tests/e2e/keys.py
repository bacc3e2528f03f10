"""Signing keys, and access tokens minted with them, good ones and bad ones."""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

LIFETIME_SECONDS = 600


class Key:
    """One key pair with its key id."""

    def __init__(self, kid: str, alg: str = "RS256") -> None:
        self.kid = kid
        self.alg = alg
        if alg == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())

    def jwk(self, private: bool = False) -> dict[str, Any]:
        """The key as a JWK."""
        key = self.private if private else self.private.public_key()
        algorithm = RSAAlgorithm if self.alg == "RS256" else ECAlgorithm
        fields = algorithm.to_jwk(key, as_dict=True)
        fields.pop("key_ops", None)
        return fields | {"kid": self.kid, "alg": self.alg, "use": "sig"}

    def public_pem(self) -> bytes:
        """The public half in PEM form."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A JWT access token; `header` adds to or overrides the usual header."""
        headers = {"typ": "at+jwt", "kid": self.kid} | header
        return jwt.encode(claims, self.private, algorithm=self.alg, headers=headers)


def claims(issuer: str, audience: str, subject: str = "alice", **more: Any) -> dict[str, Any]:
    """The claims of a good access token; `more` adds to them, and None takes one away."""
    now = int(time.time())
    good = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "client_id": "e2e",
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "scope": "notes:read",
        "groups": ["members"],
    }
    return {name: value for name, value in (good | more).items() if value is not None}


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assemble(header: dict[str, Any], payload: dict[str, Any], signature: bytes) -> str:
    """A compact JWT put together by hand, for what no library signs."""
    parts = [base64url(json.dumps(part).encode()) for part in (header, payload)]
    return ".".join([*parts, base64url(signature)])

"""The policy of the shared gate, and its parts for tests that write their own."""

import copy
from typing import Any

from clients import SERVERS

GUARDED = [*SERVERS, "jsonrpc-error", "http-403", "quiet", "old"]
CLASSES = {
    "read": ["list_*", "get_*", "slow", "size", "whoami", "announce"],
    "write": ["create_note"],
    "destructive": ["delete_note"],
}
POLICY: dict[str, Any] = {
    "tools": {server: copy.deepcopy(CLASSES) for server in GUARDED},
    "rules": [
        {
            "id": "members",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": list(GUARDED), "classes": ["read", "write", "destructive"]},
        },
        {
            "id": "members-prompt",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": list(GUARDED), "prompts": ["summarize"]},
        },
        {
            "id": "members-read",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": list(GUARDED), "resources": ["note://**"]},
        },
        {
            "id": "guests-list",
            "effect": "allow",
            "who": {"groups": ["guests"]},
            "what": {"servers": list(GUARDED), "tools": ["list_notes"]},
        },
        {
            "id": "writes-need-a-scope",
            "effect": "require",
            "what": {"servers": list(GUARDED), "classes": ["write"]},
            "needs": {"scopes": ["notes:write"]},
        },
        {
            "id": "nobody-deletes",
            "effect": "deny",
            "what": {"servers": list(GUARDED), "classes": ["destructive"]},
            "message": "Notes are kept.",
        },
    ],
}

# The server of the gate at which clients are tried, and what its policy has besides.
DESK = "ts1"
DESK_POLICY: dict[str, Any] = POLICY | {
    "rules": [
        *POLICY["rules"],
        {
            "id": "private",
            "effect": "deny",
            "what": {"servers": [DESK], "tools": ["get_note"], "arguments": {"id": "second"}},
        },
        {
            "id": "one-size",
            "effect": "limit",
            "what": {"servers": [DESK], "tools": ["size"]},
            "limit": {"calls": 1, "per": "1h", "by": ["subject"]},
        },
    ]
}

"""What every part of the adapter shares: the instance's name, its client, and how long and how much calls may take."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from integration.centra.client import CentraClient

MOST = 200
"""The longest list Centra gives in one answer (centra.dev: "Limit must be in range 1 - 200")."""

SEARCH_LAG = timedelta(seconds=20)
"""How long after a doubtful call an absent document proves nothing. Unconfirmed: no lag is reported, none is denied."""

MARGIN = timedelta(seconds=5)
"""Between the longest call and what the ledger reckons with."""


class Instance:
    """One Centra instance. `fingerprint` turns bytes into a keyed hash."""

    def __init__(self, name: str, client: CentraClient, *, fingerprint: Callable[[bytes], str]) -> None:
        self.name = name
        self.client = client
        self.fingerprint = fingerprint

    @property
    def takes(self) -> timedelta:
        """How long one call may take."""
        return timedelta(seconds=self.client.http.timeouts.total) + MARGIN

    def mark_of(self, variables: Any) -> str:
        """Tells one request from another."""
        return self.fingerprint(json.dumps(variables, sort_keys=True, ensure_ascii=False).encode())

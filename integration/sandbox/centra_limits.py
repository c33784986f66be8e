"""Centra's rate limits: three measures, two windows, token buckets shared by every caller of the instance.

Figures are the vendor's plans; that a bucket refills evenly is **unconfirmed**.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from math import ceil
from typing import Any

WINDOWS = {"TEN_SECONDS": 10, "ONE_HOUR": 3600}
PLANS: dict[str, dict[tuple[str, str], int]] = {
    "growth": {
        ("REQUEST_COUNT", "TEN_SECONDS"): 60,
        ("REQUEST_COUNT", "ONE_HOUR"): 5_000,
        ("MUTATION_COUNT", "TEN_SECONDS"): 20,
        ("MUTATION_COUNT", "ONE_HOUR"): 1_800,
        ("QUERY_COMPLEXITY", "TEN_SECONDS"): 250_000,
        ("QUERY_COMPLEXITY", "ONE_HOUR"): 30_000_000,
    },
    "enhanced": {
        ("REQUEST_COUNT", "TEN_SECONDS"): 150,
        ("REQUEST_COUNT", "ONE_HOUR"): 20_000,
        ("MUTATION_COUNT", "TEN_SECONDS"): 50,
        ("MUTATION_COUNT", "ONE_HOUR"): 4_500,
        ("QUERY_COMPLEXITY", "TEN_SECONDS"): 900_000,
        ("QUERY_COMPLEXITY", "ONE_HOUR"): 90_000_000,
    },
}


@dataclass
class Bucket:
    """`left` tokens of `quota`, refilled evenly over `seconds`."""

    quota: int
    seconds: int
    left: float
    at: datetime

    def refill(self, now: datetime) -> None:
        passed = max(0.0, (now - self.at).total_seconds())
        self.left = min(float(self.quota), self.left + passed * self.quota / self.seconds)
        self.at = now

    def wait(self, cost: int) -> float:
        """Seconds until `cost` tokens are there; 0 when they are. A cost above the quota waits for a full bucket."""
        missing = min(cost, self.quota) - self.left
        return max(0.0, missing * self.seconds / self.quota)


@dataclass
class Limits:
    """The buckets of one instance under one plan; plan "off" lets everything pass and shows the Growth figures."""

    buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    plan: str = ""

    def spend(self, plan: str, now: datetime, complexity: int, mutations: int) -> float:
        """Take one request's tokens; the seconds to wait when it may not pass (then nothing is taken), else 0."""
        self._prepare(plan, now)
        if plan == "off":
            return 0.0
        costs = {"REQUEST_COUNT": 1, "MUTATION_COUNT": mutations, "QUERY_COMPLEXITY": complexity}
        wait = max(bucket.wait(costs[measure]) for (measure, _), bucket in self.buckets.items())
        if wait <= 0:
            for (measure, _), bucket in self.buckets.items():
                bucket.left -= costs[measure]
        return wait

    def shown(self, plan: str, now: datetime) -> list[dict[str, Any]]:
        """The rows of the `rateLimits` query; quota = used + remaining."""
        self._prepare(plan, now)
        rows = []
        for (measure, window), bucket in self.buckets.items():
            left = max(0, int(bucket.left))
            used = bucket.quota - left
            rows.append(
                {
                    "type": measure,
                    "intervalSeconds": window,
                    "quota": bucket.quota,
                    "usedQuota": used,
                    "remainingQuota": left,
                }
            )
        return rows

    def _prepare(self, plan: str, now: datetime) -> None:
        if plan != self.plan:
            quotas = PLANS["growth" if plan == "off" else plan]
            self.buckets = {key: Bucket(quota, WINDOWS[key[1]], quota, now) for key, quota in quotas.items()}
            self.plan = plan
        for bucket in self.buckets.values():
            bucket.refill(now)


def retry_after(form: str, now: datetime, seconds: float) -> str:
    """`Retry-After` in one of the forms a client must expect: "timestamp", "seconds" or "http-date"."""
    until = now.timestamp() + max(1, ceil(seconds))
    if form == "seconds":
        return str(max(1, ceil(seconds)))
    if form == "http-date":
        return format_datetime(datetime.fromtimestamp(ceil(until), UTC), usegmt=True)
    return str(ceil(until))

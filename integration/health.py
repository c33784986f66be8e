"""How things stand: lanes, orders, exceptions, breakers, signs of life and what was spent of every quota. Reads only."""

from datetime import datetime, timedelta
from typing import Any

from integration.budget import LANES, OTHERS, PARTS, Quota
from integration.domain.money import Money
from integration.settings import SettingsError
from integration.store import Transaction, deliveries, schedule, spending, views
from integration.store.tables import STATES
from integration.wiring import PLANS, World


def status(world: World) -> dict[str, Any]:
    """Everything at one instant; instants are aware datetimes, ages and windows seconds, money minor units.

    `{"at", "lanes": [{lane, due, oldest_seconds, working, resting, dead}],
    "orders", "shipments", "returns", "refunds", "launches", "archivings": {state: n}, "captures_pending": n,
    "exceptions": [{type, title, owner, open, overdue, act_by, money: [{minor, currency, amount}]}],
    "breakers": [{system, open, why, failures, open_since, closed_until}],
    "heartbeats": [{process, at, age_seconds, note}],
    "budgets": [{system, measure, window_seconds, units, used, by_lane: {lane: n}}]}`
    """
    quotas = _quotas(world)
    with world.store.read() as tx:
        told = views.states(tx)
        return {
            "at": tx.now,
            "lanes": _lanes(tx),
            "orders": {state: told.get(state, 0) for state in STATES},
            **{f"{kind}s": views.states(tx, kind) for kind in ("shipment", "return", "refund")},
            "launches": views.states(tx, "product"),
            "archivings": views.states(tx, "archive"),
            "captures_pending": deliveries.captures_pending(tx),
            "exceptions": _exceptions(tx, world),
            "breakers": [_breaker(row, tx.now) for row in spending.breakers(tx)],
            "heartbeats": [
                {"process": row.process, "at": row.at, "age_seconds": _age(row.at, tx.now), "note": row.note}
                for row in schedule.heartbeats(tx)
            ],
            "budgets": [_budget(tx, system, quota) for system, found in quotas.items() for quota in found],
        }


def _lanes(tx: Transaction) -> list[dict[str, Any]]:
    found = {row.lane: row for row in views.lanes(tx)}
    idle = {"due": 0, "oldest_seconds": None, "working": 0, "resting": 0, "dead": 0}
    return [{"lane": lane, **(_lane(found[lane], tx.now) if lane in found else idle)} for lane in LANES]


def _lane(row: Any, now: datetime) -> dict[str, Any]:
    age = None if row.since is None else _age(row.since, now)
    return {"due": row.due, "oldest_seconds": age, "working": row.working, "resting": row.resting, "dead": row.dead}


def _exceptions(tx: Transaction, world: World) -> list[dict[str, Any]]:
    """Open cases by type, most urgent first; money stays apart by currency."""
    found: dict[str, dict[str, Any]] = {}
    for row in views.open_by_type(tx):
        rule = world.playbook.rule(row.type)
        fresh = {"type": row.type, "title": rule.title, "owner": row.owner, "open": 0, "overdue": 0}
        entry = found.setdefault(row.type, {**fresh, "act_by": row.act_by, "money": []})
        entry["open"] += row.open
        entry["overdue"] += row.overdue
        if row.currency:
            entry["money"].append(money(int(row.money_minor), row.currency))
    return list(found.values())


def money(minor: int, currency: str) -> dict[str, Any]:
    """An amount for a reader and for a program: `{"minor": 1999, "currency": "GBP", "amount": "19.99"}`."""
    return {"minor": minor, "currency": currency, "amount": str(Money(minor, currency).decimal)}


def _breaker(row: Any, now: datetime) -> dict[str, Any]:
    """A breaker is open during an outage; `closed_until` in the future alone is a throttle."""
    told = {name: getattr(row, name) for name in ("system", "why", "failures", "open_since", "closed_until")}
    waits = row.closed_until is not None and row.closed_until > now
    return {**told, "open": row.open_since is not None, "throttled": waits and row.open_since is None}


def _quotas(world: World) -> dict[str, tuple[Quota, ...]]:
    found = {told.name: PLANS[told.plan]() for told in world.settings.centra}
    for mapping in world.connections():
        try:
            pace = world.settings.erp(mapping.connection).requests_per_second
        except SettingsError:  # not configured here: `lockstep doctor` says so, and nothing was spent
            continue
        found[mapping.connection] = (Quota("requests", pace, timedelta(seconds=1)),) if pace else ()
    return found


def _budget(tx: Transaction, system: str, quota: Quota) -> dict[str, Any]:
    by_lane = spending.used_by_lane(tx, system, quota.name, quota.slot(tx.now) - PARTS - 1)
    return {
        "system": system,
        "measure": quota.measure,
        "window_seconds": int(quota.window.total_seconds()),
        "units": quota.units,
        "used": sum(by_lane.values()),
        "by_lane": {lane: by_lane[lane] for lane in (*LANES, OTHERS) if lane in by_lane},
    }


def _age(since: datetime, now: datetime) -> int:
    return max(0, int((now - since).total_seconds()))

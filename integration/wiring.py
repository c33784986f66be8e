"""The composition root: the world that a link may touch. Tests and the simulation replace it whole."""

import importlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from integration.budget import Gate, Quota, Terms, enhanced_plan, growth_plan
from integration.centra.adapter import Centra
from integration.centra.client import CentraClient
from integration.domain.order import Key
from integration.effects import perform
from integration.http import Http, Timeouts, Transport, new_session
from integration.ports import ERP, Storefront, Write
from integration.settings import Settings, SettingsError
from integration.store import Store, documents, reference
from integration.store.exceptions import Case
from integration.store.ledger import Job
from integration.vault import Vault, read_master_key
from mappings import Mapping, Playbook, parse, playbook

PLANS: dict[str, Callable[[], tuple[Quota, ...]]] = {
    "growth": growth_plan,
    "enhanced": enhanced_plan,
    "unlimited": tuple,
}


SLOW = timedelta(seconds=5)
"""An ERP that takes longer to answer is asked by one worker at a time, where there are others: they must not wait for it."""


class Clock(Protocol):
    """Time, as everything below `tasks` sees it."""

    def now(self) -> datetime: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Chance:
    """Randomness, so that a simulation can decide it."""

    random_bytes: Callable[[int], bytes] = os.urandom
    uniform: Callable[[float, float], float] = random.SystemRandom().uniform


Ring = Callable[[str, Key], None]
"""Publish a link's name and a key, best effort; never raises for a broker that is away."""


@dataclass
class World:
    """What a link may touch."""

    settings: Settings
    clock: Clock
    chance: Chance
    store: Store
    vault: Vault
    playbook: Playbook
    storefronts: dict[str, Storefront]
    ring: Ring
    point: Callable[[str], None]
    owner: str
    gate: type[Gate] = Gate
    gates: dict[str, Gate] = field(default_factory=dict)
    _transport: Transport | None = None
    _erps: dict[str, ERP] = field(default_factory=dict)
    _parsed: dict[tuple[str, int], Mapping] = field(default_factory=dict)

    def mappings(self, instance: str) -> list[Mapping]:
        """The newest mapping of every connection that an instance's orders may go to."""
        with self.store.read() as tx:
            newest = reference.mapping_versions(tx)
        found = [self.mapping(connection, version) for connection, version in sorted(newest.items())]
        return [mapping for mapping in found if mapping.centra == instance]

    def connections(self) -> list[Mapping]:
        """The newest mapping of every connection."""
        with self.store.read() as tx:
            newest = reference.mapping_versions(tx)
        return [self.mapping(connection, version) for connection, version in sorted(newest.items())]

    def mapping(self, connection: str, version: int) -> Mapping:
        """A connection's mapping in the version frozen on a job."""
        found = self._parsed.get((connection, version))
        if found is None:
            with self.store.read() as tx:
                row = reference.mapping_text(tx, connection, version)
            if row is None:
                raise SettingsError(f"mapping {connection} version {version} is not in the store")
            found = self._parsed[connection, version] = parse(row[1], f"{connection}.toml", version=version)
            self._erps.pop(connection, None)  # a newer mapping may hold other terms for its adapter
        return found

    def erp(self, connection: str) -> ERP:
        """The adapter of a connection, made when first needed."""
        if connection not in self._erps:
            with self.store.read() as tx:
                version = reference.mapping_versions(tx)[connection]
            self._erps[connection] = self.connect(self.mapping(connection, version))
        return self._erps[connection]

    def connect(self, mapping: Mapping) -> ERP:
        """An adapter on the terms of a mapping, be it in force or not."""
        connection = mapping.connection
        told = self.settings.erp(connection)
        with self.store.read() as tx:
            versions = reference.mapping_versions(tx)
        module = importlib.import_module(mapping.adapter)
        quotas = (
            (Quota("requests", told.requests_per_second, timedelta(seconds=1)),) if told.requests_per_second else ()
        )
        terms = Terms(open_for=self.settings.breaker_open, slow=SLOW if len(versions) > 1 else None)
        gate = self.gates[connection] = self.gate(self.store, connection, quotas, terms)
        erp: ERP = module.connect(connection, self.http(told.url, module.headers(told.token.reveal()), gate), mapping)
        return erp

    def http(self, base: str, headers: dict[str, str], gate: Gate) -> Http:
        """A way to one remote system, with this world's clock and terms."""
        return Http(
            base,
            headers=headers,
            session=new_session(self._transport),
            gate=gate,
            timeouts=Timeouts(
                read=self.settings.http_read.total_seconds(), total=1.5 * self.settings.http_read.total_seconds()
            ),
            sleep=self.clock.sleep,
            point=self.point,
        )

    def case(self, type: str, cause: str, message: str, **about: Any) -> Case:
        """A case as the playbook says: its owner, and how soon somebody must act."""
        rule = self.playbook.rule(type)
        return Case(
            type=type,
            cause=cause,
            message=message,
            owner=rule.owner,
            act_within=timedelta(minutes=rule.act_within_minutes),
            **about,
        )

    def effect(self, job: Job, write: Write, **terms: Any) -> str:
        """Make a write happen exactly once; see `integration.effects`."""
        return perform(self.store, job, write, lease=self.settings.lease, point=self.point, **terms)


def build_world(
    settings: Settings,
    *,
    ring: Ring,
    clock: Clock | None = None,
    chance: Chance | None = None,
    transport: Transport | None = None,
    owner: str = "",
    store: Store | None = None,
    point: Callable[[str], None] | None = None,
    gates: type[Gate] = Gate,
) -> World:
    """A world from settings. Raises `SettingsError` when something that every process needs is missing."""
    clock = clock or SystemClock()
    chance = chance or Chance()
    point = point or crash_point(settings.crash_at)
    if not settings.vault_keys:
        raise SettingsError(
            "LOCKSTEP_VAULT_KEY is not set: personal data is kept encrypted or not at all. Name the file with the settings in "
            "LOCKSTEP_CONFIG; only a new installation makes a key (deploy/env.example says how)"
        )
    ledger = store or Store(settings.database_url.reveal(), clock, point)
    masters = {name: read_master_key(key.reveal()) for name, key in settings.vault_keys.items()}
    vault = Vault(masters, chance.random_bytes, lambda vault: _fingerprint_key(ledger, vault))
    world = World(
        settings=settings,
        clock=clock,
        chance=chance,
        store=ledger,
        vault=vault,
        playbook=playbook(settings.mappings),
        storefronts={},
        ring=ring,
        point=point,
        owner=owner or f"pid-{os.getpid()}",
        gate=gates,
        _transport=transport,
    )
    for told in settings.centra:
        if told.plan not in PLANS:
            raise SettingsError(f"the plan of {told.name} must be one of {', '.join(PLANS)}")
        gate = gates(world.store, told.name, PLANS[told.plan](), Terms(open_for=settings.breaker_open))
        world.gates[told.name] = gate
        http = world.http(told.url, {"Authorization": f"Bearer {told.token.reveal()}"}, gate)
        world.storefronts[told.name] = Centra(told.name, CentraClient(http), fingerprint=vault.fingerprint)
    return world


def _fingerprint_key(store: Store, vault: Vault) -> bytes:
    with store.write("fingerprint-key") as tx:
        return documents.fingerprint_key(tx, vault)


def crash_point(wanted: str) -> Callable[[str], None]:
    """What `point(name)` does: nothing, or, for `LOCKSTEP_CRASH_AT=<name>:<n>`, kill -9 at the n-th passing."""
    if not wanted:
        return lambda name: None
    target, _, count = wanted.partition(":")
    left = int(count or 1)

    def point(name: str) -> None:
        nonlocal left
        if name == target:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)

    return point

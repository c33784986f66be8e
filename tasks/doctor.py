"""`lockstep doctor`: everything that must be so for the promises to hold, looked at once; each finding says what to do."""

import hashlib
import importlib
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from integration.settings import Settings, SettingsError, read_settings, redacted

if TYPE_CHECKING:
    from integration.wiring import World
    from mappings import Mapping

CLOCK_WARNS, CLOCK_FAILS = timedelta(seconds=2), timedelta(seconds=60)
"""Signatures of webhooks hold for five minutes, leases for two: clocks must agree far better than that."""
BROKER_ANSWERS_IN = 5.0
LOOKED_AT = 500
"""Orders whose words are held against the mappings; `lockstep mappings coverage` looks at more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `grade` is ok, warn (works, yet should be known) or FAIL (a promise would not hold); `do` is what to do."""

    grade: str
    what: str
    says: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.grade:4}  {self.what}: {self.says}" + (f"\n      {self.do}" if self.do else "")

    def document(self) -> dict[str, str]:
        return asdict(self)


def _build(settings: Settings) -> "World":
    """A world on any schema: that the schema is another is a finding, not the end."""
    from integration.budget import Bystander
    from integration.wiring import build_world

    return build_world(settings, ring=lambda link, key: None, gates=Bystander)


def examine(
    read: Callable[[], Settings] = read_settings, make: Callable[[Settings], "World"] = _build
) -> Iterator[Finding]:
    """Examine; one part that cannot be looked at does not hide the next. Raises nothing."""
    try:
        settings = read()
    except SettingsError as error:
        yield Finding("FAIL", "configuration", str(error), "deploy/env.example explains every setting")
        return
    yield from _guarded("configuration", lambda: _configuration(settings))
    yield from _guarded("mapping files", lambda: _mapping_files(settings))
    yield from _guarded("broker", lambda: _broker(settings), "start it, or correct LOCKSTEP_BROKER_URL")
    yield from _guarded("Flower", lambda: _flower(settings))
    try:
        world = make(settings)
    except Exception as error:  # noqa: BLE001 - a door: whatever is wrong is shown, and the other findings stay
        yield Finding("FAIL", "start", _said(error), "no process can start like this: correct it first")
        return
    usable = True
    for finding in _guarded("database", lambda: _database(world), "see deploy/runbooks/database-gone.md"):
        usable &= finding.grade != "FAIL"
        yield finding
    if not usable:
        yield Finding("warn", "systems and mappings in force", "not looked at: the database comes first")
        return
    yield from _guarded("vault", lambda: _vault(world))
    yield from _guarded("mappings in force", lambda: _in_force(world))
    yield from _systems(world)


def _guarded(what: str, look: Callable[[], Iterator[Finding]], do: str = "") -> Iterator[Finding]:
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - a door: whatever is wrong is shown, and the other findings stay
        yield Finding("FAIL", what, _said(error), do)


def _said(error: Exception) -> str:
    return redacted(str(error).splitlines()[0] if str(error) else type(error).__name__)


def _configuration(settings: Settings) -> Iterator[Finding]:
    for name, value in sorted(settings.shown().items()):
        yield Finding("ok", f"setting {name}", value)
    if not settings.centra:
        yield Finding("FAIL", "setting centra", "no Centra instance is named", "set LOCKSTEP_CENTRA")
    for told in settings.centra:
        if not told.webhook_secrets:
            name = told.name.upper().replace("-", "_")
            says = (
                f"{told.name} has no webhook secret: its webhooks are refused, orders come by events and the poll only"
            )
            yield Finding("warn", "webhooks", says, f"set LOCKSTEP_{name}_WEBHOOK_SECRETS_FILE")
    if settings.vault_keys:
        yield Finding("ok", "vault key", "is set")
    else:
        do = "make one with `openssl rand -base64 32` and name its file in LOCKSTEP_VAULT_KEY_FILE; keep a copy elsewhere"
        yield Finding("FAIL", "vault key", "LOCKSTEP_VAULT_KEY is not set: nothing could be encrypted", do)


def _mapping_files(settings: Settings) -> Iterator[Finding]:
    from mappings import BrokenMapping, load, playbook

    do = "correct it, then `lockstep mappings check`; what is in force stays so"
    try:
        found = load(settings.mappings)
        playbook(settings.mappings)
    except (BrokenMapping, OSError, UnicodeDecodeError) as error:
        yield Finding("FAIL", "mapping files", str(error), do)
        return
    if not found:
        says = f"{settings.mappings} holds none"
        yield Finding("warn", "mapping files", says, "LOCKSTEP_MAPPINGS names the folder with <connection>.toml")
    for name, (_, mapping) in found.items():
        yield Finding("ok", f"mapping file {name}", f"valid, {len(mapping.markets)} markets of {mapping.centra}")


def _broker(settings: Settings) -> Iterator[Finding]:
    from kombu import Connection

    url = settings.broker_url.reveal()
    waits = {"socket_timeout": BROKER_ANSWERS_IN, "socket_connect_timeout": BROKER_ANSWERS_IN}
    redis = url.startswith(("redis", "sentinel"))
    with Connection(url, connect_timeout=BROKER_ANSWERS_IN, transport_options=waits if redis else {}) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_ANSWERS_IN)
        if not redis:
            yield Finding("ok", "broker", f"{redacted(url)} answers")
            return
        told = connection.default_channel.client.info()
    yield Finding("ok", "broker", f"{redacted(url)} answers, version {told.get('redis_version')}")
    policy = str(told.get("maxmemory_policy"))
    if policy == "noeviction":
        yield Finding("ok", "broker memory", "maxmemory-policy is noeviction")
    else:
        says = f"maxmemory-policy is {policy}: when memory is short, it forgets messages in silence"
        yield Finding("FAIL", "broker memory", says, "set `maxmemory-policy noeviction`")
    if told.get("aof_enabled"):
        yield Finding("ok", "broker persistence", "appendonly is on")
    else:
        says = "appendonly is off: a restart forgets its messages; no work is lost, each waits for the next sweep"
        yield Finding("warn", "broker persistence", says, "set `appendonly yes`")


def _flower(settings: Settings) -> Iterator[Finding]:
    """Flower's /metrics and /healthcheck never ask for a password, so its port must not be open to the world."""
    address = settings.variables.get("FLOWER_ADDRESS", "").strip() or "127.0.0.1"
    try:
        loopback = address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if loopback:
        yield Finding("ok", "Flower", f"binds to {address}, this machine only")
    elif settings.variables.get("FLOWER_XHEADERS", "").lower() in ("1", "true", "yes"):
        yield Finding(
            "warn", "Flower", f"binds to {address}, behind a proxy by FLOWER_XHEADERS", "keep the port closed"
        )
    else:
        do = "leave FLOWER_ADDRESS out, or put a proxy with a password before it and set FLOWER_XHEADERS=true"
        yield Finding("FAIL", "Flower", f"binds to {address} without a proxy", do)


def _database(world: "World") -> Iterator[Finding]:
    from integration.store import SCHEMA, views
    from integration.store.migrate import revision
    from integration.wiring import SystemClock

    with world.store.read() as tx:
        told = views.database(tx)
        apart = abs(tx.now - SystemClock().now())
    yield Finding(
        "ok", "database", f"{redacted(world.settings.database_url.reveal())}: {told['kind']} {told['version']}"
    )
    yield from _durability(world, dict(told))
    found = revision(world.store)
    if found == SCHEMA:
        yield Finding("ok", "schema", f"revision {found}")
    else:
        says = f"the database is at revision {found or 'none'}, this release speaks {SCHEMA}"
        yield Finding("FAIL", "schema", says, "run `lockstep migrate` with this release")
    grade = "ok" if apart < CLOCK_WARNS else "warn" if apart < CLOCK_FAILS else "FAIL"
    says = f"the database and this machine are {apart.total_seconds():.1f} s apart"
    yield Finding(grade, "clocks", says, "" if grade == "ok" else "run a time service (NTP) on both machines")


def _durability(world: "World", told: dict[str, str]) -> Iterator[Finding]:
    """A commit that a power cut can take back is not one: a webhook would have been acknowledged for nothing."""
    if told["kind"] == "sqlite":
        if world.settings.environment == "production":
            yield Finding("warn", "database", "SQLite serves a demo and one machine", "use PostgreSQL for real work")
        if told["journal_mode"] == "wal" and told["synchronous"] in ("2", "3"):
            yield Finding("ok", "durability", "journal_mode is WAL, synchronous is FULL")
        else:
            says = (
                f"journal_mode is {told['journal_mode']}, synchronous is {told['synchronous']}; WAL and FULL are needed"
            )
            yield Finding("FAIL", "durability", says, "the file system may not allow WAL: use a local disk")
        return
    for name in ("synchronous_commit", "fsync", "full_page_writes"):
        if told[name] == "off":
            says = f"{name} is off: a power cut takes back what was promised"
            yield Finding("FAIL", "durability", says, f"set {name} = on for this database")
        else:
            yield Finding("ok", "durability", f"{name} is {told[name]}")


def _vault(world: "World") -> Iterator[Finding]:
    from integration.store import views

    with world.store.read() as tx:
        held = views.orders_by_master_key(tx)
    lost = {master: n for master, n in held.items() if master not in world.settings.vault_keys}
    for master, n in lost.items():
        says = f"{n} orders are sealed under key {master}, which is not configured: they cannot be opened or posted"
        yield Finding("FAIL", "vault", says, "put that key into LOCKSTEP_VAULT_OLD_KEYS_FILE")
    if not lost:
        yield Finding("ok", "vault", f"every key in use is configured; {sum(held.values())} orders are sealed")


def _in_force(world: "World") -> Iterator[Finding]:
    from integration.store import views
    from mappings import BrokenMapping, check_one_book, load

    with world.store.read() as tx:
        applied = {row.connection: row for row in views.mappings_applied(tx)}
        seen, types = views.markets(tx), {row.type for row in views.open_by_type(tx)}
    mappings = world.connections()
    for mapping in mappings:
        yield Finding("ok", f"mapping {mapping.connection}", f"version {mapping.version} is in force")
        if mapping.centra not in world.storefronts:
            says = f"it takes the orders of {mapping.centra}, which is not configured"
            yield Finding(
                "FAIL", f"mapping {mapping.connection}", says, "name it in LOCKSTEP_CENTRA, or correct the file"
            )
        if mapping.bundles and mapping.products is None:
            says = "[bundles] are not compared with the ERP's own bills of materials: nothing declares [products]"
            do = "declare [products], an empty table does (mappings/README.md), then `lockstep mappings apply`"
            yield Finding("warn", f"bundles of {mapping.connection}", says, do)
    try:
        check_one_book(mappings, {m.connection: world.settings.erp_address(m.connection) for m in mappings})
    except BrokenMapping as error:
        do = "give each shop an ERP, or a channel, of its own before anything more is posted"
        yield Finding("FAIL", "ERPs that are shared", str(error), do)
    for name in world.storefronts:
        if not any(mapping.centra == name for mapping in mappings):
            says = f"no mapping in force takes the orders of {name}: they are seen and none is posted"
            yield Finding("FAIL", "mappings", says, "run `lockstep mappings apply`")
    for name, (text, _) in load(world.settings.mappings).items():
        if name not in applied or applied[name].sha256 != hashlib.sha256(text.encode()).hexdigest():
            says = "the file differs from what is in force"
            yield Finding("warn", f"mapping {name}", says, "run `lockstep mappings apply` if the file is meant")
    homes = {(mapping.centra, market) for mapping in mappings for market in mapping.markets}
    homeless = [row for row in seen if (row.instance, row.market) not in homes]
    for row in homeless:
        says = f"{row.orders} orders are of {row.market!r} in {row.instance}, which no mapping in force names"
        yield Finding("warn", "coverage", says, "add the market (mappings/README.md), then `lockstep mappings apply`")
    if seen and not homeless:
        yield Finding("ok", "coverage", f"each of the {len(seen)} markets seen has a home")
    yield from _words(world)
    for kind in sorted(types - set(world.playbook.rules)):
        yield Finding(
            "warn", "playbook", f"open exceptions are of type {kind}, which has no rule", "add it to playbook.toml"
        )


def _words(world: "World") -> Iterator[Finding]:
    """What the newest orders ask of the mappings beside their markets; a word by its type is no fault, and is counted."""
    from integration import coverage

    found = [word for word in coverage.seen(world, LOOKED_AT) if word.connection]
    for word in found:
        if word.mapped == coverage.MISSING:
            says = f"{word.orders} of the newest orders have {word.word!r}, which {word.connection}.toml does not have"
            do = "add the row (mappings/README.md), then `lockstep mappings apply`"
            yield Finding("warn", f"coverage of [{word.table}]", says, do)
    broader = sum(word.mapped == coverage.BROADER for word in found)
    if broader:
        says = f"{broader} discount codes go by their type: `lockstep mappings coverage` lists them"
        yield Finding("ok", "coverage of discount codes", says)


def _systems(world: "World") -> Iterator[Finding]:
    for name, storefront in sorted(world.storefronts.items()):
        yield from _answers(name, storefront.check)
    for mapping in world.connections():
        yield from _answers(mapping.connection, lambda name=mapping.connection: world.erp(name).check())
        yield from _guarded(f"{mapping.connection} in particular", lambda mapping=mapping: _particulars(world, mapping))


def _particulars(world: "World", mapping: "Mapping") -> Iterator[Finding]:
    """What only its adapter knows to look at: a module with `examine(erp, mapping)` yields findings of its own."""
    examine = getattr(importlib.import_module(mapping.adapter), "examine", None)
    for grade, what, says, do in examine(world.erp(mapping.connection), mapping) if examine else ():
        yield Finding(grade, f"{mapping.connection}: {what}", says, do)


def _answers(name: str, check: Callable[[], str]) -> Iterator[Finding]:
    from integration.errors import Unavailable

    do = "see deploy/runbooks/connection-down.md"
    try:
        yield Finding("ok", name, check())
    except Unavailable as error:
        if error.connection_wide == "CONNECTION_AUTH":
            do = "see deploy/runbooks/connection-auth.md: the token has ended, was revoked, or lacks a permission"
        yield Finding("FAIL", name, _said(error), do)
    except Exception as error:  # noqa: BLE001 - a door: whatever is wrong is shown, and the other findings stay
        yield Finding("FAIL", name, _said(error), do)

"""What an operator sets, read once from the environment and from the file it names; typed, validated, redacted.

`LOCKSTEP_CONFIG` may name a file of `LOCKSTEP_…=value` lines (mode 0600); the environment wins over it. A secret may be
given as `…_TOKEN` or as `…_TOKEN_FILE`.
"""

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"TOKEN|SECRET|KEY|PASSWORD|DSN")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


class SettingsError(ValueError):
    """A setting is missing or wrong; the text names the variable and never shows its value."""


class Secret(str):
    """A string that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***" if self else "(not set)"

    def reveal(self) -> str:
        return str.__str__(self)


NOT_SET = Secret("")


@dataclass(frozen=True, slots=True)
class CentraSettings:
    """One Centra instance. `plan` is the rate-limit plan, `updated_filter` the unconfirmed `OrderFilter.updatedAt`."""

    name: str
    url: str
    token: Secret
    webhook_secrets: tuple[Secret, ...]
    plan: str
    updated_filter: bool
    events: bool

    def shown(self) -> str:
        """The instance in words; its secrets only counted."""
        switches = [word for word, on in (("events", self.events), ("updatedAt filter", self.updated_filter)) if on]
        known = f"token {'set' if self.token else 'NOT SET'}, {len(self.webhook_secrets)} webhook secret(s)"
        return f"{self.url}, plan {self.plan}, {known}, {' and '.join(switches) or 'no switches'}"


@dataclass(frozen=True, slots=True)
class ErpSettings:
    """Where an ERP connection is reached; what it means is in its mapping file.

    `webhook_secrets` open its door for webhooks; `unsigned_webhooks` opens it for messages without a signature, too.
    """

    name: str
    url: str
    token: Secret
    requests_per_second: int
    webhook_secrets: tuple[Secret, ...]
    unsigned_webhooks: bool

    @property
    def takes_webhooks(self) -> bool:
        return bool(self.webhook_secrets) or self.unsigned_webhooks


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything. `repr` is safe to print."""

    environment: str
    database_url: Secret
    broker_url: Secret
    mappings: Path
    centra: tuple[CentraSettings, ...]
    vault_keys: Mapping[str, Secret] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    sentry_dsn: Secret = NOT_SET
    poll_every: timedelta = timedelta(seconds=60)
    poll_overlap: timedelta = timedelta(minutes=15)
    reread_every: timedelta = timedelta(minutes=15)
    sweep_every: timedelta = timedelta(seconds=1)
    lease: timedelta = timedelta(seconds=120)
    prove_patience: timedelta = timedelta(seconds=15)
    http_read: timedelta = timedelta(seconds=30)
    breaker_open: timedelta = timedelta(seconds=30)
    payload_days: int = 90
    crash_at: str = ""

    def erp(self, connection: str) -> ErpSettings:
        """How a connection is reached. Raises `SettingsError` when its address or token is not set."""
        found = _erp(_Given(self.variables), connection)
        if not found.url or not found.token:
            name = _variable(connection)
            raise SettingsError(f"connection {connection!r} needs LOCKSTEP_{name}_URL and LOCKSTEP_{name}_TOKEN")
        return found

    def erp_address(self, connection: str) -> str:
        """Where a connection's ERP is; empty where nobody has said so yet."""
        return _erp(_Given(self.variables), connection).url

    def webhook_door(self, connection: str) -> ErpSettings | None:
        """How a connection takes webhooks; `None` where it takes none, or where there is no such name."""
        if not _NAME.fullmatch(connection) or connection in {told.name for told in self.centra}:
            return None
        found = _erp(_Given(self.variables), connection)
        return found if found.takes_webhooks else None

    def shown(self) -> dict[str, str]:
        """Every setting as text, secrets as stars and passwords cut out of addresses."""
        addresses = {"database_url": redacted(self.database_url), "broker_url": redacted(self.broker_url)}
        told = {f.name: _words(getattr(self, f.name)) for f in fields(self) if f.repr and f.name != "centra"}
        instances = {f"centra {each.name}": each.shown() for each in self.centra}
        return told | addresses | instances | {"vault_keys": ", ".join(self.vault_keys) or "(none)"}


def _words(value: object) -> str:
    """A setting as a person would write it."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return repr(value) if isinstance(value, Secret) else str(value) or "(not set)"


def redacted(url: str) -> str:
    """An address without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", str.__str__(url))


def secrets_of(variables: Mapping[str, str]) -> list[str]:
    """Every secret that the variables hold or name a file of, and the passwords inside addresses: what no log may show."""
    given, found = _Given(variables), []
    for name in variables:
        short = name.removeprefix("LOCKSTEP_").removesuffix("_FILE")
        if name.startswith("LOCKSTEP_") and _SECRET.search(short):
            with contextlib.suppress(SettingsError):  # a file that cannot be read is told of where it is needed
                found.append(given.secret(short).reveal())
    found += [m.group(1) for v in variables.values() for m in re.finditer(r"://[^:/@]*:([^@]+)@", v)]
    return [part for value in found for part in value.split()]


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the environment, or a given one. Raises `SettingsError`."""
    given = _Given(_with_file(dict(os.environ if environ is None else environ)))
    return Settings(
        environment=given.text("ENVIRONMENT", "sandbox"),
        database_url=Secret(given.text("DATABASE_URL", "sqlite:///lockstep.db")),
        broker_url=Secret(given.text("BROKER_URL", "redis://127.0.0.1:6379/0")),
        mappings=Path(given.text("MAPPINGS", str(Path(__file__).parent.parent / "mappings"))),
        centra=tuple(_centra(given, name) for name in given.names("CENTRA")),
        vault_keys=_vault_keys(given),
        variables=given.values,
        sentry_dsn=given.secret("SENTRY_DSN"),
        poll_every=given.seconds("POLL_SECONDS", 60),
        poll_overlap=given.seconds("POLL_OVERLAP_SECONDS", 900),
        reread_every=given.seconds("REREAD_SECONDS", 900),
        sweep_every=given.seconds("SWEEP_SECONDS", 1),
        lease=given.seconds("LEASE_SECONDS", 120),
        http_read=given.seconds("HTTP_READ_SECONDS", 30),
        breaker_open=given.seconds("BREAKER_SECONDS", 30),
        payload_days=given.number("PAYLOAD_DAYS", 90),
        prove_patience=given.seconds("PROVE_PATIENCE_SECONDS", 15),
        crash_at=given.text("CRASH_AT", ""),
    )


class _Given:
    """The variables, by their names after `LOCKSTEP_`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(f"LOCKSTEP_{name}", default)
        if value is None:
            raise SettingsError(f"LOCKSTEP_{name} is not set")
        return value.strip()

    def secret(self, name: str) -> Secret:
        path = self.values.get(f"LOCKSTEP_{name}_FILE")
        if path is None:
            return Secret(self.text(name, ""))
        try:
            return Secret(Path(path).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"LOCKSTEP_{name}_FILE cannot be read ({type(error).__name__})") from error

    def number(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise SettingsError(f"LOCKSTEP_{name} must be a whole number")
        return int(value)

    def seconds(self, name: str, default: float) -> timedelta:
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,3})?", value):
            raise SettingsError(f"LOCKSTEP_{name} must be a number of seconds")
        return timedelta(seconds=float(value))

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name, "yes" if default else "no").lower()
        if value not in ("yes", "no"):
            raise SettingsError(f"LOCKSTEP_{name} must be yes or no")
        return value == "yes"

    def names(self, name: str) -> tuple[str, ...]:
        found = tuple(part for part in re.split(r"[\s,]+", self.text(name, "")) if part)
        for part in found:
            if not _NAME.fullmatch(part):
                raise SettingsError(
                    f"LOCKSTEP_{name} holds a name that is none: use lower-case letters, digits and dashes"
                )
        return found


def _with_file(values: dict[str, str]) -> dict[str, str]:
    path = values.get("LOCKSTEP_CONFIG")
    if not path:
        return values
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"LOCKSTEP_CONFIG names a file that cannot be read ({type(error).__name__})") from error
    if mode & 0o077:
        raise SettingsError(f"the file LOCKSTEP_CONFIG names is readable by others (mode {mode:o}): chmod 600 it")
    told = (line.split("=", 1) for line in lines if line.strip() and not line.lstrip().startswith("#"))
    try:
        return {name.strip(): value.strip() for name, value in told} | values
    except ValueError as error:
        raise SettingsError("the file LOCKSTEP_CONFIG names has a line without '='") from error


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _centra(given: _Given, name: str) -> CentraSettings:
    prefix = _variable(name)
    secrets = given.secret(f"{prefix}_WEBHOOK_SECRETS").split()
    return CentraSettings(
        name=name,
        url=given.text(f"{prefix}_URL"),
        token=given.secret(f"{prefix}_TOKEN"),
        webhook_secrets=tuple(Secret(s) for s in secrets),
        plan=given.text(f"{prefix}_PLAN", "growth"),
        updated_filter=given.flag(f"{prefix}_UPDATED_FILTER", default=False),
        events=given.flag(f"{prefix}_EVENTS", default=True),
    )


def _erp(given: _Given, name: str) -> ErpSettings:
    prefix = _variable(name)
    return ErpSettings(
        name=name,
        url=given.text(f"{prefix}_URL", ""),
        token=given.secret(f"{prefix}_TOKEN"),
        requests_per_second=given.number(f"{prefix}_REQUESTS_PER_SECOND", 10),
        webhook_secrets=tuple(Secret(s) for s in given.secret(f"{prefix}_WEBHOOK_SECRETS").split()),
        unsigned_webhooks=given.flag(f"{prefix}_UNSIGNED_WEBHOOKS", default=False),
    )


def _vault_keys(given: _Given) -> dict[str, Secret]:
    """`LOCKSTEP_VAULT_KEY` (base64 of 32 bytes), and `LOCKSTEP_VAULT_OLD_KEYS` (space-separated) that only open."""
    current = given.secret("VAULT_KEY")
    old = given.secret("VAULT_OLD_KEYS").split()
    keys: dict[str, Any] = {_key_id(k): Secret(k) for k in (current.reveal(), *old) if k}
    return keys


def _key_id(key: str) -> str:
    """A short name for a key that tells nothing about it."""
    return hashlib.sha256(f"lockstep vault key id\n{key}".encode()).hexdigest()[:12]

"""Bring a database to the schema that this code speaks, and refuse to work on another one."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from integration.settings import SettingsError
from integration.store import SCHEMA, Store


def upgrade(store: Store) -> None:
    """Apply every missing migration. Safe to repeat."""
    config = Config()
    config.set_main_option("script_location", str(files("integration.store") / "migrations"))
    with store.write("migrate") as tx:
        config.attributes["connection"] = tx.connection
        command.upgrade(config, "head")


def revision(store: Store) -> str | None:
    """The revision a database is at; `None` for an empty one. Raises `StoreDown`."""
    with store.read() as tx:
        return MigrationContext.configure(tx.connection).get_current_revision()


def require_current(store: Store) -> None:
    """Raises `SettingsError` unless the database speaks this code's schema."""
    found = revision(store)
    if found != SCHEMA:
        raise SettingsError(
            f"the database is at schema {found or 'none'}, this code at {SCHEMA}: run `lockstep migrate`"
        )

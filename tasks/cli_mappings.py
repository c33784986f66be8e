"""`lockstep mappings …`: validate the tables that people edit, bring them into force, and say which are."""

import importlib
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tasks.terminal import Failed, actor_option, as_json_option, open_world, say, say_json, say_table

if TYPE_CHECKING:
    from integration.wiring import World
    from mappings import Mapping as Mapped


PREVIEWED = 50
"""Levels listed by a preview, the largest changes first."""


@click.group()
def mappings() -> None:
    """Their words and ours, as data."""


folder_argument = click.argument("folder", required=False, type=click.Path(path_type=Path))


@mappings.command("check")
@folder_argument
def check_mappings(folder: Path | None) -> None:
    """Validate every mapping file and the playbook of a folder; nothing is changed."""
    for connection, (_, mapping) in _valid(folder).items():
        say(f"{connection}: good, {len(mapping.markets)} markets of {mapping.centra} since {mapping.start_at:%Y-%m-%d}")


@mappings.command("preview")
@folder_argument
def preview_mappings(folder: Path | None) -> None:
    """What the files would change in what shoppers see, before they are in force: the ERPs are read, nothing is written."""
    from integration.waterfall import preview

    world = open_world()
    for connection, (_, mapping) in _valid(folder).items():
        told = preview(world, mapping)
        if mapping.stock is None and not told.go:
            say(f"{connection}: pushes no stock")
            continue
        new = [change.would for change in told.changes if change.would is not None]
        left = len(told.changes) - len(new)
        gone = sum(would <= 0 for would in new)
        say(
            f"{connection}: {len(new)} levels would change, {gone} of them to nothing; {left} would not be told any more"
        )
        for place in told.appear:
            say(f"{connection}: place {place} would be fed from here, which it is not now")
        for place in told.go:
            say(f"{connection}: place {place} would not be fed from here any more, and keeps what it shows")
        rows = [
            (each.sku, each.place, each.shown, "not told" if each.would is None else max(0, each.would))
            for each in told.changes[:PREVIEWED]
        ]
        if rows:
            say_table(("SKU", "place", "shows", "would show"), rows, none="")
    say("A mass change is held by the brake until a person lets it pass: lockstep stock --release CONNECTION")


@mappings.command("coverage")
@click.option("--all", "everything", is_flag=True, help="What is mapped exactly, too.")
@as_json_option
def show_coverage(everything: bool, as_json: bool) -> None:
    """What the newest orders of Centra ask of the mappings in force: markets, shipping options, taxes, vouchers and their codes.

    Lists what is not mapped, and what only goes by a broader word.
    """
    from integration import coverage

    found = coverage.seen(open_world())
    shown = [word for word in found if everything or word.mapped != coverage.EXACT]
    if as_json:
        say_json({"words": [asdict(word) for word in shown]})
        return
    rows = [(w.mapped, w.connection, w.table, w.word, w.orders, w.newest) for w in shown]
    say_table(("mapped", "connection", "table", "Centra's word", "orders", "newest"), rows, none="every word is mapped")
    exact = sum(word.mapped == coverage.EXACT for word in found)
    say(f"{exact} of {len(found)} words of the newest {coverage.MOST} orders are mapped exactly.")


@mappings.command("apply")
@folder_argument
@actor_option
def apply_mappings(folder: Path | None, actor: str) -> None:
    """Validate everything, then make it the mapping in force, then release the orders that waited for it."""
    from integration.store import reference
    from mappings import check_one_book, check_one_feed, check_one_home

    given = _valid(folder)
    world = open_world()
    in_force = {mapping.connection: mapping for mapping in world.connections()}
    together = [*(m for name, m in in_force.items() if name not in given), *(m for _, m in given.values())]
    check_one_home(together)
    check_one_feed(together)
    check_one_book(together, {m.connection: world.settings.erp_address(m.connection) for m in together})
    with world.store.write("mappings.apply") as tx:
        versions = {name: reference.apply_mapping(tx, name, text, actor=actor) for name, (text, _) in given.items()}
    for name, version in versions.items():
        kept = name in in_force and in_force[name].version == version
        say(f"{name}: version {version} {'is in force already' if kept else 'is in force now'}")
    _release(world)


def _release(world: "World") -> None:
    """Wake what waited. An item may have to be looked for in an ERP that is away: then the sweeper does it later."""
    from integration.errors import Unavailable
    from tasks.intake import release_held

    try:
        keys = release_held(world)
    except Unavailable as error:
        say(f"waiting orders are released later, by the sweeper: {error}")
        return
    for key in keys:
        world.ring("take", key)
    say(f"{len(keys)} waiting {'order was' if len(keys) == 1 else 'orders were'} released")


def _valid(folder: Path | None) -> "dict[str, tuple[str, Mapped]]":
    """Every mapping of a folder, the playbook checked beside them. Raises `BrokenMapping`."""
    from integration.settings import read_settings
    from mappings import BrokenMapping, load, playbook

    folder = folder or read_settings().mappings
    try:
        found = load(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"a mapping file in {folder} cannot be read as UTF-8 text: {error}") from error
    if not found:
        raise Failed(f"{folder} holds no mapping file (<connection>.toml)")
    for name, (_, mapping) in found.items():
        try:
            adapter = importlib.import_module(mapping.adapter)
        except ImportError as error:
            raise BrokenMapping(
                f"{name}.toml", "connection", "adapter", f"no such module: {mapping.adapter}"
            ) from error
        if not hasattr(adapter, "connect"):
            raise BrokenMapping(
                f"{name}.toml", "connection", "adapter", f"{mapping.adapter} is no adapter: it has no connect"
            )
        if hasattr(adapter, "check_mapping"):
            adapter.check_mapping(mapping)
    playbook(folder)
    return found


@mappings.command("list")
@as_json_option
def list_mappings(as_json: bool) -> None:
    """The mappings in force."""
    from integration.store import views

    world = open_world()
    with world.store.read() as tx:
        rows = views.mappings_applied(tx)
    found = []
    for row in rows:
        mapping = world.mapping(row.connection, row.version)
        told = {"connection": row.connection, "version": row.version, "centra": mapping.centra}
        told |= {"markets": len(mapping.markets), "start_at": mapping.start_at}
        found.append(told | {"applied_at": row.applied_at, "applied_by": row.applied_by, "sha256": row.sha256})
    if as_json:
        say_json({"mappings": found})
        return
    shown = [
        [
            m["connection"],
            m["version"],
            m["centra"],
            m["markets"],
            _day(m["start_at"]),
            _day(m["applied_at"]),
            m["applied_by"],
        ]
        for m in found
    ]
    columns = ("connection", "version", "centra", "markets", "orders from (UTC)", "applied (UTC)", "by")
    say_table(columns, shown, none="no mapping is in force: run `lockstep mappings apply`")


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"

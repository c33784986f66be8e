"""Which of the storefront's words the mappings have: read from the orders in the vault, asked of the mappings in force now.

What is not mapped stops every order that has it, and is a case where one came. What goes by a broader word, a discount code by
its type, stops nothing and is nobody's case: here it shows.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from integration.domain.order import Order
from integration.errors import Rejected, Unmapped
from integration.store import documents
from integration.vault import VaultError
from integration.wiring import World
from mappings import Mapping

EXACT, BROADER, MISSING = "exactly", "by its type", "not mapped"
WORST = (MISSING, BROADER, EXACT)
MOST = 2000
"""Orders that are read, the newest ones: a brand's last days or weeks, in some seconds."""
CODES = "discount codes"
"""In place of a table's name: a mapping has them by their type, unless its adapter has names for single codes."""

Lookup = tuple[str, str, str]
"""Table, word, and how it is mapped."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the storefront, how it is mapped, in how many of the orders it is, and the newest of them.

    `connection` is the ERP of their market; empty for a market that nobody has.
    """

    connection: str
    table: str
    word: str
    mapped: str
    orders: int
    newest: str


def seen(world: World, most: int = MOST) -> list[Word]:
    """Every word of the newest orders, what is not mapped first. Erased orders have none."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for order in _orders(world, most):
        mappings = world.mappings(order.key.instance)
        mapping = next((each for each in mappings if order.market in each.markets), None)
        told = _words(order, mapping, world) if mapping else {("markets", order.market, MISSING)}
        for each in told:
            found.setdefault((mapping.connection if mapping else "", *each), []).append(order.number)
    words = [Word(*key, orders=len(numbers), newest=numbers[0]) for key, numbers in found.items()]
    return sorted(words, key=lambda w: (WORST.index(w.mapped), w.connection, w.table, -w.orders, w.word))


def _orders(world: World, most: int) -> Iterator[Order]:
    with world.store.read() as tx:
        rows = documents.newest(tx, "order", most)
    for row in rows:
        with world.store.read() as tx:
            try:
                content = documents.latest(tx, world.vault, row.id, "order")
            except VaultError:
                continue
        if content is not None and row.instance in world.storefronts:
            try:
                yield world.storefronts[row.instance].reread(content)
            except ValueError:  # not readable: a case of its own
                continue


def _words(order: Order, mapping: Mapping, world: World) -> set[Lookup]:
    """What an order asks of its mapping. Its adapter is asked to compose it, too: it may have tables of its own."""
    if order.placed_at < mapping.start_at:
        return set()
    country = order.ship_to.country
    options = mapping.carriers.get(order.market, {})
    told = {_told(f'carriers."{order.market}"', order.shipping_option, order.shipping_option in options)}
    taxes = mapping.taxes.get(country, {})
    for percent in {format(line.tax_percent.normalize(), "f") for line in order.lines}:
        told.add(_told(f"taxes.{country}", percent, percent in taxes))
    if order.shipping or order.handling:
        told.add(_told("shipping_tax", country, country in mapping.shipping_tax))
    has_name = getattr(importlib.import_module(mapping.adapter), "has_name", None)
    for discount in order.discounts:
        told.add(_told("vouchers", discount.type, discount.type in mapping.vouchers))
        if discount.code and discount.type in mapping.vouchers:
            named = has_name is not None and has_name(discount, mapping)
            told.add((CODES, f"{discount.code} ({discount.type})", EXACT if named else BROADER))
    try:
        world.erp(mapping.connection).compose(order, mapping)
    except Unmapped as unmapped:  # a code that must have a name does not go by its type
        told = {each for each in told if each[0] != CODES or each[1].partition(" (")[0] != unmapped.key}
        told.add((unmapped.table, unmapped.key, MISSING))
    except Rejected:  # a case of its own
        pass
    return told


def _told(table: str, word: str, mapped: bool) -> Lookup:
    return table, word, EXACT if mapped else MISSING

"""Stock as OrderWise tells it: free and physical stock by location, kits by what is in them.

Free stock is what everybody publishes: physical less allocated, perhaps negative, perhaps a fraction. A kit's own row does not
move when one of its components does, and may be old: a kit is what can be built of the components, wherever it is asked for.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from integration.domain.money import digits
from integration.erp.orderwise.client import Row
from integration.erp.orderwise.tenant import Tenant, sku_of, whole
from integration.errors import Rejected
from integration.ports import Figure

LANE = "stock"
IDS = 500
"""Ids in one range of the catalogue: an export definition has no pages."""

Level = tuple[Decimal, Decimal]
"""On hand and available, exactly."""
NOTHING: Level = (Decimal(0), Decimal(0))


class Stock(Tenant):
    """`ERPStock`."""

    def figures(self, skus: Collection[str], warehouses: Collection[int]) -> Mapping[str, Figure]:
        rows = with_components(skus, lambda wanted: self.named("stock", wanted, lane=LANE))
        recipes, levels = kits(rows), self._levels(rows, warehouses)
        found: dict[str, Figure] = {}
        for sku in skus:
            if sku in recipes:
                built = [(levels.get(part, NOTHING), pieces) for part, pieces in pieces_of(sku, recipes).items()]
                found[sku] = Figure(
                    *(min(int(Fraction(level[i]) // pieces) for level, pieces in built) for i in (0, 1))
                )
            elif sku in levels:
                found[sku] = Figure(whole(levels[sku][0]), whole(levels[sku][1]))
        return found

    def _levels(self, rows: Iterable[Row], warehouses: Collection[int]) -> dict[str, Level]:
        """Sums over the asked locations; a SKU that was never put into one of them has nothing there."""
        found: dict[str, Level] = {}
        for row in rows:
            if row["kind"] == "level":
                on_hand, available = found.get(sku_of(row), NOTHING)
                if row["location"] in warehouses:
                    on_hand += self._figure(row, "in_stock")
                    available += self._figure(row, self.profile.available)
                found[sku_of(row)] = (on_hand, available)
        return found

    def _figure(self, row: Row, column: str) -> Decimal:
        if row[column] is None:
            message = f"OrderWise tells no {column} of {sku_of(row)} in location {row['location']}"
            raise Rejected("SCHEMA_CHANGE", f"{self.name}:export stock {column}", message)
        return digits(row[column])

    def moved_since(self, since: datetime) -> Collection[str]:
        """Both kinds of rows name what moved: a SKU itself, or a kit with a component that did."""
        return {sku_of(row) for row in self.changed("stock", since, lane=LANE)} - {""}

    def stocked(self, after: str) -> tuple[Sequence[str], str]:
        """A range of ids at a time; ids that nothing has are passed over."""
        start: int | None = int(after or 0)
        rows: list[Row] = []
        while start is not None and not rows:
            rows, following = self.variants(start, start + IDS, lane=LANE)
            start = None if following is None else following - 1
        skus = [sku_of(row) for row in rows if not row["discontinued"] and row["for_sale"]]
        return skus, "" if start is None else str(start)


def with_components(skus: Collection[str], ask: Callable[[Collection[str]], Sequence[Row]]) -> list[Row]:
    """The rows of these SKUs and of all that is in them: a component may be a kit itself."""
    rows: list[Row] = []
    asked: set[str] = set()
    while wanted := ({*skus} | {part for recipe in kits(rows).values() for part in recipe}) - asked:
        rows += ask(wanted)
        asked |= wanted
    return rows


def kits(rows: Iterable[Row]) -> dict[str, dict[str, Fraction]]:
    """Pieces of each component in one kit, by the kit's SKU."""
    found: dict[str, dict[str, Fraction]] = {}
    for row in rows:
        if row["kind"] == "kit" and digits(row["quantity"]) > 0:
            parts = found.setdefault(sku_of(row), {})
            part = str(row["part"]).strip()
            parts[part] = parts.get(part, Fraction(0)) + Fraction(digits(row["quantity"]))
    return found


def pieces_of(
    sku: str, recipes: Mapping[str, Mapping[str, Fraction]], within: tuple[str, ...] = ()
) -> dict[str, Fraction]:
    """Pieces of everything that is no kit in one of this SKU; a kit that is in itself counts there by its own row."""
    if sku not in recipes or sku in within:
        return {sku: Fraction(1)}
    found: dict[str, Fraction] = {}
    for part, pieces in recipes[sku].items():
        for each, quantity in pieces_of(part, recipes, (*within, sku)).items():
            found[each] = found.get(each, Fraction(0)) + quantity * pieces
    return found

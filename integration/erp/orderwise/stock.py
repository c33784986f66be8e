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
from integration.erp.orderwise.tenant import Tenant, sku_of
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
            if sku in recipes or sku in levels:
                parts = pieces_of(sku, recipes)
                told = [(levels.get(part, NOTHING), pieces) for part, pieces in parts.items()]
                built = [(level, pieces) for level, pieces in told if level is not None]
                if len(built) == len(parts):
                    found[sku] = Figure(
                        *(min(int(Fraction(level[i]) // pieces) for level, pieces in built) for i in (0, 1))
                    )
        return found

    def _levels(self, rows: Iterable[Row], warehouses: Collection[int]) -> dict[str, Level | None]:
        """Sums over the asked locations; a SKU that was never put into one of them has nothing there. `None` where a location
        tells no figure of it. Raises `Rejected` (SCHEMA_CHANGE) where none of several SKUs has one: then the column is wrong.
        """
        columns = ("in_stock", self.profile.available)
        levels = [row for row in rows if row["kind"] == "level"]
        asked = [row for row in levels if row["location"] in warehouses]
        several = len({sku_of(row) for row in asked})
        for column in columns:
            if several > 1 and all(row[column] is None for row in asked):
                message = f"OrderWise tells no {column} of any of {several} SKUs: is its expression in STOCK right?"
                raise Rejected("SCHEMA_CHANGE", f"{self.name}:export stock {column}", message)
        found: dict[str, Level | None] = {sku_of(row): NOTHING for row in levels}
        for row in asked:
            so_far, told = found[sku_of(row)], [row[column] for column in columns]
            if so_far is not None:
                known = None not in told
                found[sku_of(row)] = (so_far[0] + digits(told[0]), so_far[1] + digits(told[1])) if known else None
        return found

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
    """Pieces of each component in one kit, by the kit's SKU; a component without a quantity is needed once at least."""
    found: dict[str, dict[str, Fraction]] = {}
    for row in rows:
        pieces = Fraction(1 if row.get("quantity") is None else digits(row["quantity"]))
        if row["kind"] == "kit" and pieces > 0:
            parts = found.setdefault(sku_of(row), {})
            part = str(row["part"]).strip()
            parts[part] = parts.get(part, Fraction(0)) + pieces
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

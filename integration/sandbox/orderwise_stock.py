"""Stock: what lies there, what is free, and kits by their parts.

Free stock is what lies at a location less what open orders still want from it. The formula is nobody's statement; the figures'
names and that they may be negative or fractional are. A change is stamped on every variant that was calculated again, and a kit's
own row does not move when a part moves: it is as old as its last calculation.
"""

import math
from collections.abc import Iterable
from decimal import Decimal

from integration.sandbox.orderwise_ledger import Ledger
from integration.sandbox.orderwise_wire import Row

_WANTED = """
SELECT oli_sl_id AS place, SUM(pieces) AS pieces FROM (
  SELECT oli_sl_id, oli_qty_tbsent AS pieces FROM order_line_item
  JOIN order_header ON oh_id = oli_oh_id
  WHERE oli_vad_id = ?1 AND oli_qty_tbsent <> 0 AND oh_order_complete = 0 AND oh_sot_id = 1 AND oli_direct = 0
    AND NOT EXISTS (SELECT 1 FROM variant_bom WHERE vb_oli_id = oli_id)
  UNION ALL
  SELECT oli_sl_id, oli_qty_tbsent * vbc_quantity FROM variant_bom_component
  JOIN variant_bom ON vb_id = vbc_vb_id AND vb_oli_id <> 0
  JOIN order_line_item ON oli_id = vb_oli_id
  JOIN order_header ON oh_id = oli_oh_id
  WHERE vbc_vad_id = ?1 AND oli_qty_tbsent <> 0 AND oh_order_complete = 0 AND oh_sot_id = 1 AND oli_direct = 0
) GROUP BY oli_sl_id
"""


class Stock:
    """Figures of variants by location; a place is the id of a stock location."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def variant(self, sku: str) -> Row | None:
        """By its code, as SQL Server compares it: trailing spaces and case do not matter."""
        return self._ledger.row(
            "SELECT * FROM variant_detail JOIN variant_setting ON vas_vad_id = vad_id WHERE vad_variant_code = ?",
            sku,
        )

    def known(self, sku: str) -> int:
        """The id of a variant; raises `ValueError` when there is none."""
        found = self.variant(sku)
        if found is None:
            raise ValueError(f"no variant {sku!r}")
        return int(found["vad_id"])

    def place(self, which: int | str) -> int:
        """A location by its id or name; raises `ValueError` when there is none."""
        found = self._ledger.value(
            "SELECT sl_id FROM stock_location WHERE sl_id = ? OR sl_description = ?", which, which
        )
        if found is None:
            raise ValueError(f"no stock location {which!r}")
        return int(found)

    def parts(self, variant: int, line: int = 0) -> dict[int, Decimal]:
        """The parts of one piece, of a kit itself or of the kit on an order's line; nothing for what is no kit."""
        found = self._ledger.rows(
            "SELECT vbc_vad_id, vbc_quantity FROM variant_bom JOIN variant_bom_component ON vbc_vb_id = vb_id"
            " WHERE vb_vad_id = ? AND COALESCE(vb_oli_id, 0) = ? AND vb_active = 1",
            variant,
            line,
        )
        return {row["vbc_vad_id"]: Decimal(str(row["vbc_quantity"])) for row in found}

    def copy_bill(self, variant: int, line: int) -> None:
        """An order's line of a kit keeps the bill it was ordered with."""
        parts = self.parts(variant)
        if parts:
            bill = self._ledger.insert("variant_bom", vb_vad_id=variant, vb_oli_id=line)
            for part, quantity in parts.items():
                self._ledger.insert("variant_bom_component", vbc_vb_id=bill, vbc_vad_id=part, vbc_quantity=quantity)

    def count(self, variant: int, pieces: Decimal, place: int) -> None:
        """So many lie there now."""
        self._ledger.base.execute(
            "UPDATE variant_stock_location SET vsl_overall_stock_quantity = ? WHERE vsl_vad_id = ? AND vsl_sl_id = ?",
            (float(pieces), variant, place),
        )
        self.recalculate([variant])

    def move(self, variant: int, pieces: Decimal, place: int) -> None:
        """So many more (fewer when negative) lie there."""
        self._ledger.base.execute(
            "UPDATE variant_stock_location SET vsl_overall_stock_quantity = ROUND(vsl_overall_stock_quantity + ?, 4)"
            " WHERE vsl_vad_id = ? AND vsl_sl_id = ?",
            (float(pieces), variant, place),
        )

    def of_line(self, line: Row) -> dict[int, Decimal]:
        """What one piece of an order's line takes from the shelves: the parts of its kit, or itself."""
        return self.parts(line["oli_vad_id"], line["oli_id"]) or {line["oli_vad_id"]: Decimal(1)}

    def recalculate(self, variants: Iterable[int]) -> None:
        """Work out free stock anew and stamp it."""
        ledger = self._ledger
        for variant in dict.fromkeys(variants):
            parts = self.parts(variant)
            wanted = {row["place"]: row["pieces"] for row in ledger.rows(_WANTED, variant)}
            places = ledger.rows("SELECT * FROM variant_stock_location WHERE vsl_vad_id = ?", variant)
            for row in places:
                place = row["vsl_sl_id"]
                free = row["vsl_overall_stock_quantity"] - wanted.get(place, 0)
                if parts:
                    free = self._buildable(parts, place)
                ledger.base.execute(
                    "UPDATE variant_stock_location SET vsl_free_stock_quantity = ROUND(?, 4) WHERE vsl_vad_id = ? AND vsl_sl_id = ?",
                    (free, variant, place),
                )
            ledger.base.execute(
                "UPDATE variant_stock_quantity SET vasq_stock_levels_last_calculated = ?, vasq_free_stock_quantity ="
                " (SELECT ROUND(SUM(vsl_free_stock_quantity), 4) FROM variant_stock_location WHERE vsl_vad_id = vasq_vad_id)"
                " WHERE vasq_vad_id = ?",
                (ledger.now(), variant),
            )

    def _buildable(self, parts: dict[int, Decimal], place: int) -> int:
        free = {
            part: self._ledger.value(
                "SELECT vsl_free_stock_quantity FROM variant_stock_location WHERE vsl_vad_id = ? AND vsl_sl_id = ?",
                part,
                place,
            )
            for part in parts
        }
        return min(math.floor(Decimal(str(free[part] or 0)) / quantity) for part, quantity in parts.items())

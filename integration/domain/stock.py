"""Stock arithmetic: what may be sold, and the number that says so in the storefront's own quantity type.

Whole units throughout. The ERP's figure has deducted the orders that the ERP knows; the storefront deducts what it has
allocated. An order is deducted by exactly one of them: what the storefront allocated and the ERP does not know yet is
taken off here, or scheduled pushes would give those units back.
"""

from dataclasses import dataclass

PHYSICAL = "physical"
FREE_TO_ALLOCATE = "free to allocate"
QUANTITY_TYPES = (PHYSICAL, FREE_TO_ALLOCATE)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """All that decides one SKU's number.

    `figure` is the ERP's; `allocated` what the storefront holds for orders it took; `known` the units of those orders
    that `figure` has deducted already; `unposted` the units our ledger knows to be sold and not deducted.
    """

    figure: int
    allocated: int
    known: int
    unposted: int
    buffer: int

    @property
    def unknown_to_erp(self) -> int:
        """Units sold that the figure has not deducted: the larger of what the storefront and what our ledger show."""
        return max(self.allocated - self.known, self.unposted, 0)

    @property
    def sellable(self) -> int:
        return max(0, self.figure - self.unknown_to_erp - self.buffer)

    def number(self, quantity_type: str) -> int:
        """What to write: the storefront subtracts its allocations from a physical quantity, not from a free one."""
        return self.sellable + self.allocated if quantity_type == PHYSICAL else self.sellable

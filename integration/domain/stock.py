"""Stock arithmetic: what may be sold, and the number that says so in the storefront's own quantity type.

Whole units throughout. The ERP's figure has deducted the orders that the ERP knows; the storefront deducts what it has
allocated. An order is deducted by exactly one of them: what the storefront sold and the ERP does not know yet is taken
off here, or scheduled pushes would give those units back.
"""

from dataclasses import dataclass

PHYSICAL = "physical"
FREE_TO_ALLOCATE = "free to allocate"
QUANTITY_TYPES = (PHYSICAL, FREE_TO_ALLOCATE)
AVAILABLE, ON_HAND = "available", "on hand"
FIGURES = (AVAILABLE, ON_HAND)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """All that decides one SKU's number in one place.

    `figure` is the ERP's. `allocated` and `demand` are what the storefront sold and holds, and what it sold and could not
    allocate; `known` the units of these that `figure` has deducted already. `unposted` are the units that our ledger knows
    to be sold and not deducted; `left` those that left the building after the figure was asked for, where the figure counts
    what is on hand.
    """

    figure: int
    allocated: int
    demand: int
    known: int
    unposted: int
    buffer: int
    left: int = 0

    @property
    def unknown_to_erp(self) -> int:
        """Units sold that the figure has not deducted: the larger of what the storefront and what our ledger show."""
        return max(self.allocated + self.demand - self.known, self.unposted, 0) + self.left

    @property
    def uncovered(self) -> int:
        """Units sold that no stock stands behind."""
        return max(0, self.unknown_to_erp - self.figure)

    @property
    def sellable(self) -> int:
        return max(0, self.figure - self.unknown_to_erp - self.buffer)

    @property
    def fills(self) -> int:
        """How much of the demand there is stock for: the storefront is to allocate it."""
        return max(0, self.demand - self.uncovered)

    @property
    def shown(self) -> int:
        """What the storefront will then have free beyond its demand: below nothing where demand stays uncovered."""
        return self.sellable + self.fills - self.demand

    def number(self, quantity_type: str) -> int:
        """What to write: the storefront subtracts its allocations from a physical quantity, not from a free one."""
        free = self.sellable + self.fills
        return free + self.allocated if quantity_type == PHYSICAL else free


def leaps(now: int, then: int) -> bool:
    """Whether a level falls to nothing or changes by more than half. What was sold out may always come back."""
    was = max(0, now)
    return was > 0 and (then <= 0 or abs(then - was) * 2 > was)

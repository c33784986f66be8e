"""What an order's read-back shows of rows that we did not send."""

from collections.abc import Iterator

import pytest
from erp_benches import SHIRT, Bench
from erps.orderwise.bench import bench as made

from integration.domain.proof import compare
from integration.sandbox.centra_orders import BasketLine


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = made()
    yield found
    found.stage.store.close()


@pytest.mark.parametrize("variant", [True, False])
def test_a_second_row_of_an_item_number_is_a_difference_whatever_it_costs(bench: Bench, variant: bool) -> None:
    """It is read before ours, costs nothing, and its goods would be picked."""
    draft = bench.draft(lines=[BasketLine(SHIRT, 2)])
    bench.erp.order_write(draft).send()
    bench.stage.orderwise.copy_line(draft.reference, SHIRT, variant)
    (standing,) = bench.erp.standing([draft.reference])[draft.reference]
    (line,) = draft.request["order"]["orderLines"]
    name = f"line {line['itemNumber']}"
    assert {standing.components[f"{name} sku"], standing.components[f"{name} again sku"]} == {
        SHIRT,
        SHIRT if variant else "",
    }
    differences = {difference.name for difference in compare(draft.components, standing.components).differences}
    assert f"{name} again quantity" in differences

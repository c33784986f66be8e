"""Many hints and many SKUs: one push for a thousand hints, and the nearly sold out first."""

from steps.conftest import OpenStage
from steps.stockroom import SKU, count, counted, free, stocked, the_job, writes

from integration import stock
from integration.store import levels


def test_a_thousand_hints_are_one_push(stages: OpenStage) -> None:
    stage = stocked(stages)
    counted(stage, 10)
    before = writes(stage)
    count(stage, 3)
    with stage.store.write() as tx:
        for _ in range(1_000):
            stock.hint(tx, "fulfil", [SKU])
    stage.sweep()
    assert writes(stage) == before + 1
    assert free(stage) == 3
    assert the_job(stage).state == "proven"


def test_the_nearly_sold_out_go_first_and_then_the_longest_waiting(stages: OpenStage) -> None:
    stage = stocked(stages)
    with stage.store.write() as tx:
        for sku, urgency in (("LS105NVS", 50), ("LS105NVM", 0), ("LS105NVL", 3)):
            levels.mark(tx, "fulfil", ["1"], [sku], urgency)
    with stage.store.read() as tx:
        _, rows = levels.batch(tx, "fulfil", levels.DIRTY, 2)
    assert [row.sku for row in rows] == ["LS105NVM", "LS105NVL"]

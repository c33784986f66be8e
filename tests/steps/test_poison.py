"""A document that stops its worker again and again ends with a person, not in a loop."""

from datetime import timedelta

from sqlalchemy import update
from stage import Stage
from steps.looking import assert_case

from integration.domain.order import Key
from integration.store import ledger
from integration.store.tables import job
from tasks import step


def test_an_order_whose_workers_keep_dying_is_a_dead_letter_in_the_end(stage: Stage) -> None:
    number = stage.order()
    stage.hint(number)
    stage.queue.clear()
    key = Key("brand", "order", number)
    deaths = 0
    while stage.row(number).state != "dead":
        assert deaths <= step.MOST_ATTEMPTS * 2 + 1
        if stage.row(number).attempts >= step.MOST_ATTEMPTS * 2:
            step.run(step.LINKS["order", "take"], key, stage.world, task_id="the last")
            break
        claimed = ledger.claim(
            stage.store, "take", key, owner="a worker that dies", task_id=f"t{deaths}", lease=timedelta(seconds=120)
        )
        assert len(claimed) == 1
        deaths += 1
        with stage.store.write() as tx:
            tx.execute(update(job).values(until=tx.now - timedelta(seconds=1)))
    case = assert_case(stage, number, "DEAD_LETTER")
    assert deaths >= step.MOST_ATTEMPTS * 2
    assert case.cause

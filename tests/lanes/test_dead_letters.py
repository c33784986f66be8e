"""Every way to die ends as one letter in `<lane>.dlq`, and every letter as one case, on Redis and RabbitMQ alike."""

from lanes.conftest import HERE, Lanes
from lanes.dying_app import DEATHS
from servers import wait_until
from sqlalchemy import select

from integration.store import exceptions, letters
from integration.store.tables import letter


def test_every_death_is_one_letter_and_one_case_though_the_drainer_is_killed_again_and_again(lanes: Lanes) -> None:
    worker = lanes.worker("dying_app", "-c", "2")
    lanes.run(str(HERE / "dying_app.py"), *DEATHS)
    wait_until(lambda: lanes.waiting("orders.dlq") >= len(DEATHS), "a letter for every death", seconds=40)
    wait_until(lambda: lanes.waiting("orders") + lanes.held() == 0, "an empty lane")
    worker.kill()
    assert lanes.waiting("orders") + lanes.held() == 0  # nothing came back that somebody still held
    assert lanes.waiting("orders.dlq") == len(DEATHS)

    killed = 0
    while lanes.waiting("orders.dlq"):
        assert killed <= len(DEATHS), "the drainer makes no headway"
        drainer = lanes.process(
            "-m", "tasks.cli", "dead-letters", LOCKSTEP_CRASH_AT=f"letter.recorded:{2 + killed % 2}"
        )
        wait_until(lambda it=drainer: not it.alive or not lanes.waiting("orders.dlq"), "the drainer's end", seconds=30)
        killed += not drainer.alive
        drainer.kill()
    assert killed >= 2
    with lanes.store.read() as tx:
        assert letters.counts(tx) == {"orders": len(DEATHS)}
        assert sorted(tx.execute(select(letter.c.task)).scalars()) == sorted(DEATHS)
        cases = exceptions.listed(tx)
    assert sorted(case.cause for case in cases) == sorted(f"orders: {name}" for name in DEATHS)
    assert {(case.type, case.occurrences) for case in cases} == {("DEAD_LETTER", 1)}

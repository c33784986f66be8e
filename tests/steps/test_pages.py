"""A page of many orders: one bad order stops nobody, and one refused read is one case."""

from stage import ADDRESS, Stage


def test_a_name_that_no_database_takes_parks_its_own_order_and_nobody_elses() -> None:
    stage = Stage()
    good = [stage.order() for _ in range(3)]
    bad = stage.order(address=ADDRESS | {"firstName": "A\x00nn"})
    stage.hint(*good, bad)
    stage.work()
    assert [stage.row(number).state for number in good] == ["proven"] * 3
    (case,) = stage.open_cases()
    assert (case.number, case.type) == (bad, "SCHEMA_CHANGE")
    assert stage.row(bad).state == "dead"


def test_a_refused_read_of_a_page_is_one_case_of_the_connection_and_no_order_is_dead() -> None:
    stage = Stage()
    numbers = [stage.order() for _ in range(3)]
    stage.centra.faults.plan("user-error", operation="orders", times=1)
    stage.fulfil.faults.plan("forbidden", operation="search_read", skip=1, times=1)
    stage.hint(*numbers)
    stage.work()
    assert {stage.row(number).state for number in numbers} == {"posted"}
    (case,) = stage.open_cases()
    assert case.job_id is None
    assert case.connection == "fulfil"
    stage.sweep(14, every=30)
    assert {stage.row(number).state for number in numbers} == {"proven"}


def test_an_erp_that_is_away_keeps_no_order_from_being_taken() -> None:
    stage = Stage()
    number = stage.order()
    stage.fulfil.faults.plan("unavailable", operation="search_read", times=1)
    stage.hint(number)
    stage.work()
    assert stage.row(number).state in ("ready", "posted", "proven")
    assert stage.row(number).released_at is not None

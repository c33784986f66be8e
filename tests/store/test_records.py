"""Effects, exceptions, proofs, the audit trail and the vault: what is written once, found again, and destroyed on request."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from store.conftest import case, key, row
from store.test_jobs import at_once, mark

from integration.domain.proof import seal
from integration.store import Store, documents, effects, exceptions, proofs, reference, schedule
from integration.store.tables import document, exception, job
from integration.vault import Vault, VaultError


def the_job(store: Store, number: int = 1) -> int:
    mark(store, number)
    return int(row(store, number).id)


def open_case(store: Store, **words: Any) -> int:
    with store.write() as tx:
        return exceptions.open_case(tx, case(**words))


def found(store: Store, id: int) -> Any:
    with store.read() as tx:
        return exceptions.one(tx, id)


def intend(store: Store, job_id: int, seconds: int = 60) -> None:
    with store.write() as tx:
        until = tx.now + timedelta(seconds=seconds)
        effects.intend(
            tx, job_id, "sales order", effect_class="A", reference="centra-1", request="f", unknown_until=until
        )


# ------------------------------------------------------------------------------------------------------------ effects


def test_an_answer_is_written_once_and_the_first_one_stands(store: Store) -> None:
    id = the_job(store)
    intend(store, id)
    with store.write() as tx:
        assert effects.answer(tx, id, "sales order", "12") == "12"
        assert effects.answer(tx, id, "sales order", "13") == "12"
        effects.record(tx, id, "sales order", "refused")
        assert effects.of(tx, id, "sales order").state == "done"


def test_of_two_answers_at_once_one_stands_for_both(store: Store) -> None:
    id = the_job(store)
    intend(store, id)

    def answer(n: int) -> str:
        with store.write() as tx:
            return effects.answer(tx, id, "sales order", str(n))

    assert len(set(at_once(4, answer))) == 1


def test_a_second_intent_keeps_the_longest_doubt(store: Store) -> None:
    id = the_job(store)
    intend(store, id, seconds=600)
    with store.read() as tx:
        before = effects.of(tx, id, "sales order").unknown_until
    with store.write() as tx:
        soon = tx.now + timedelta(seconds=5)
        assert not effects.intend(
            tx, id, "sales order", effect_class="A", reference="centra-1", request="f", unknown_until=soon
        )
        effects.intend_again(tx, id, "sales order", request="g", unknown_until=soon)
    with store.read() as tx:
        effect = effects.of(tx, id, "sales order")
    assert (effect.unknown_until, effect.tries) == (before, 2)


# --------------------------------------------------------------------------------------------------------- exceptions


def test_an_order_has_one_open_case_whatever_else_goes_wrong(store: Store) -> None:
    id = the_job(store)
    first = open_case(store, job_id=id)
    second = open_case(store, job_id=id, type="ORDER_TAX_UNMAPPED", cause="tax", owner="Finance", message="no tax")
    assert first == second
    assert (found(store, first).type, found(store, first).owner, found(store, first).occurrences) == (
        "ORDER_TAX_UNMAPPED", "Finance", 2,
    )  # fmt: skip


def test_the_database_itself_refuses_a_second_open_case_of_an_order_and_of_a_cause(store: Store) -> None:
    id = the_job(store)
    for words in ({"job_id": id}, {"connection": "fulfil", "type": "CONNECTION_DOWN", "cause": "fulfil"}):
        one = open_case(store, **words)
        with store.read() as tx:
            told = dict(tx.execute(select(exception).where(exception.c.id == one)).one()._mapping)
        told.pop("id")
        with pytest.raises(Exception, match=r"(?i)unique"), store.write() as tx:
            tx.execute(tx.insert(exception).values(told))


def test_cases_opened_at_once_for_one_order_or_one_connection_are_one_each(store: Store) -> None:
    id = the_job(store)

    def attempt(n: int) -> int:
        words = {"job_id": id} if n % 2 else {"connection": "fulfil", "type": "CONNECTION_DOWN", "cause": "fulfil"}
        return open_case(store, **words)

    ids = at_once(6, attempt)
    assert len(set(ids)) == 2
    with store.read() as tx:
        assert len(exceptions.listed(tx)) == 2


def test_a_case_that_comes_back_keeps_its_id_and_its_clock(store: Store) -> None:
    id = the_job(store)
    first = open_case(store, job_id=id)
    opened, act_by = found(store, first).opened_at, found(store, first).act_by
    with store.write() as tx:
        assert exceptions.resolve_of_job(tx, id, "verified") == [first]
        assert not exceptions.is_open(tx, id)
    assert open_case(store, job_id=id) == first
    again = found(store, first)
    assert (again.state, again.opened_at, again.act_by, again.resolved_at) == ("open", opened, act_by, None)
    with store.read() as tx:
        assert [r.verb for r in exceptions.timeline(tx, first)] == ["opened", "resolved", "re-opened"]


def test_a_connections_case_is_resolved_by_its_own_recovery_only(store: Store) -> None:
    ours = open_case(store, connection="fulfil", type="CONNECTION_DOWN", cause="fulfil")
    theirs = open_case(store, connection="brand", type="CONNECTION_DOWN", cause="brand")
    with store.write() as tx:
        assert exceptions.resolve_of_connection(tx, "fulfil", ["CONNECTION_DOWN"], "verified") == [ours]
    assert found(store, theirs).state == "open"


def test_the_cards_sum_the_money_at_risk_by_cause_and_currency(store: Store) -> None:
    for n, (currency, minor) in enumerate([("GBP", 1000), ("GBP", 250), ("JPY", 900)], start=1):
        open_case(store, job_id=the_job(store, n), currency=currency, money_minor=minor)
    open_case(store, job_id=the_job(store, 4), cause="ZZ8", currency="GBP", money_minor=7)
    with store.read() as tx:
        cards = {(c.cause, c.currency): (c.members, int(c.money_minor)) for c in exceptions.by_cause(tx)}
    assert cards == {("ZZ9", "GBP"): (2, 1250), ("ZZ9", "JPY"): (1, 900), ("ZZ8", "GBP"): (1, 7)}


# ------------------------------------------------------------------------------------------------- proofs and the audit


def keep_proof(store: Store, id: int) -> None:
    with store.write() as tx:
        told = {"total": "10.00 GBP"}
        proofs.keep(tx, id, told, seal(told), equal=True)


def acts(store: Store, count: int = 3) -> None:
    for n in range(count):
        with store.write() as tx:
            reference.record_act(tx, "ann", "resolved", f"exception {n}", "because")


@pytest.mark.parametrize("table", ["audit", "proof"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET seal = 'x'"])
def test_proofs_and_audit_rows_can_only_be_added(store: Store, table: str, statement: str) -> None:
    keep_proof(store, the_job(store))
    acts(store)
    with pytest.raises(Exception, match="append-only"), store.write() as tx:
        tx.execute(text(statement.format(table)))


def unguarded(store: Store, statement: str) -> None:
    """What somebody with the database's own password could do."""
    with store.write() as tx:
        if store.engine.dialect.name == "postgresql":
            tx.execute(text("DROP FUNCTION lockstep_refuse() CASCADE"))
        else:
            for table in ("audit", "proof"):
                for act in ("update", "delete"):
                    tx.execute(text(f"DROP TRIGGER {table}_no_{act}"))
        tx.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'another' WHERE id = 2",
        "UPDATE audit SET actor = 'bob' WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
    ],
)
def test_an_audit_row_changed_or_removed_behind_our_back_breaks_the_chain(store: Store, statement: str) -> None:
    acts(store)
    with store.read() as tx:
        assert reference.broken_audit_rows(tx) == []
    unguarded(store, statement)
    with store.read() as tx:
        assert reference.broken_audit_rows(tx) != []


def test_audit_rows_written_at_once_form_one_chain(store: Store) -> None:
    at_once(4, lambda n: acts(store, 3))
    with store.read() as tx:
        assert len(reference.audit_trail(tx)) == 12
        assert reference.broken_audit_rows(tx) == []


def test_a_proof_changed_behind_our_back_is_found(store: Store) -> None:
    keep_proof(store, the_job(store))
    with store.read() as tx:
        assert proofs.broken(tx) == []
    unguarded(store, 'UPDATE proof SET document = \'{"total":"1.00 GBP"}\'')
    with store.read() as tx:
        assert len(proofs.broken(tx)) == 1


# -------------------------------------------------------------------------------------------------------------- vault


def test_erasing_a_person_makes_every_document_unreadable_and_nothing_new_is_kept(store: Store, vault: Vault) -> None:
    one, two = the_job(store, 1), the_job(store, 2)
    with store.write() as tx:
        for id in (one, two):
            documents.put(tx, vault, id, "order", b"Ann Example")
    keep_proof(store, one)
    acts(store)
    with store.write() as tx:
        assert documents.erase(tx, one)
        assert not documents.erase(tx, one)
        assert documents.put(tx, vault, one, "evidence", b"Ann again") is None
    with store.read() as tx:
        with pytest.raises(VaultError, match="erased"):
            documents.latest(tx, vault, one, "order")
        assert documents.latest(tx, vault, two, "order") == b"Ann Example"
        assert proofs.broken(tx) == []
        assert reference.broken_audit_rows(tx) == []


def test_a_sealed_row_moved_to_another_order_does_not_open(store: Store, vault: Vault) -> None:
    one, two = the_job(store, 1), the_job(store, 2)
    with store.write() as tx:
        documents.put(tx, vault, one, "order", b"Ann")
        documents.put(tx, vault, two, "order", b"Bob")
        sealed = tx.scalar(select(document.c.sealed).where(document.c.job_id == one))
        tx.execute(update(document).where(document.c.job_id == two).values(sealed=sealed))
    with store.read() as tx, pytest.raises(VaultError):
        documents.latest(tx, vault, two, "order")


def test_retention_removes_old_payloads_and_keeps_keys_proofs_and_the_job(store: Store, vault: Vault) -> None:
    old, new, living = (the_job(store, n) for n in (1, 2, 3))
    with store.write() as tx:
        for id in (old, new, living):
            documents.put(tx, vault, id, "order", b"Ann")
        long_ago = tx.now - timedelta(days=100)
        tx.execute(update(job).where(job.c.id == old).values(closed_at=long_ago, state="proven"))
        tx.execute(update(job).where(job.c.id == new).values(closed_at=tx.now, state="proven"))
        tx.execute(update(document).values(at=long_ago))
    keep_proof(store, old)
    intend(store, old)
    with store.write() as tx:
        assert documents.expire(tx, closed_before=tx.now - timedelta(days=90)) == 1
    with store.read() as tx:
        assert documents.latest(tx, vault, old, "order") is None
        assert documents.latest(tx, vault, living, "order") == b"Ann"
        assert effects.of(tx, old, "sales order") is not None
        assert proofs.count(tx) == 1


def test_a_scheduled_run_is_begun_once_by_however_many_beats(store: Store) -> None:
    def begin(n: int) -> bool:
        with store.write() as tx:
            return schedule.begin_run(tx, "poll", "slot 1")

    assert sorted(at_once(4, begin)) == [False, False, False, True]


def test_a_mapping_applied_twice_keeps_its_version(store: Store) -> None:
    with store.write() as tx:
        versions = [reference.apply_mapping(tx, "fulfil", t, actor="ann") for t in ("one", "one", "two", "two", "one")]
    assert versions == [1, 1, 2, 2, 3]
    assert key(1).number == "1"

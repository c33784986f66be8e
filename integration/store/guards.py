"""What the database itself refuses, whatever the code above it does: the last line of three promises.

The ERP's id of an order is written once; the audit trail and the proofs are only ever appended to.
"""

_APPEND_ONLY = ("audit", "proof")


def _sqlite() -> list[str]:
    statements = [
        """CREATE TRIGGER job_erp_ref_once BEFORE UPDATE OF erp_ref ON job
           WHEN OLD.erp_ref IS NOT NULL AND NEW.erp_ref IS NOT OLD.erp_ref
           BEGIN SELECT RAISE(ABORT, 'erp_ref is written once'); END"""
    ]
    return statements + [
        f"""CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""
        for table in _APPEND_ONLY
        for act in ("UPDATE", "DELETE")
    ]


def _postgresql() -> list[str]:
    statements = [
        """CREATE FUNCTION lockstep_refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$""",
        """CREATE FUNCTION lockstep_erp_ref_once() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'erp_ref is written once'; END $$""",
        """CREATE TRIGGER job_erp_ref_once BEFORE UPDATE OF erp_ref ON job FOR EACH ROW
           WHEN (OLD.erp_ref IS NOT NULL AND NEW.erp_ref IS DISTINCT FROM OLD.erp_ref)
           EXECUTE FUNCTION lockstep_erp_ref_once()""",
    ]
    return statements + [
        f"""CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION lockstep_refuse()"""
        for table in _APPEND_ONLY
    ]


GUARDS = {"sqlite": _sqlite(), "postgresql": _postgresql()}

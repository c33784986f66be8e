"""The ledger's first schema."""

import sqlalchemy as sa
from alembic import op

from integration.store.guards import GUARDS
from integration.store.tables import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False, comment="SHA-256 over this row and the seal before it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "breaker",
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("closed_until", Instant(), nullable=True, comment="no call before this instant: throttled or open"),
        sa.Column("open_since", Instant(), nullable=True),
        sa.Column("why", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("system", name=op.f("pk_breaker")),
    )
    op.create_table(
        "cursor",
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("system", "stream", name=op.f("pk_cursor")),
    )
    op.create_table(
        "heartbeat",
        sa.Column("process", sa.String(length=128), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("note", sa.String(length=255), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "item",
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=128), nullable=False),
        sa.Column(
            "ref", sa.String(length=64), nullable=True, comment="the ERP's id; null when the ERP does not know the SKU"
        ),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "sku", name=op.f("pk_item")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("instance", sa.String(length=64), nullable=False, comment="the Centra instance"),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("dirty_seq", sa.Integer(), nullable=False, comment="hints so far"),
        sa.Column("clean_seq", sa.Integer(), nullable=False, comment="hints that have been read up to"),
        sa.Column("connection", sa.String(length=64), nullable=True, comment="the ERP; frozen by the first intent"),
        sa.Column("mapping_version", sa.Integer(), nullable=True),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column(
            "reason", sa.Text(), server_default="", nullable=False, comment="why it stands where it stands, in words"
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=True, comment="who holds the lease"),
        sa.Column("until", Instant(), nullable=True, comment="when the lease ends"),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False, comment="rises with every claim"),
        sa.Column("rung_at", Instant(), nullable=True),
        sa.Column("read_at", Instant(), nullable=True, comment="when the storefront was last asked about it"),
        sa.Column("source_status", sa.String(length=32), server_default="", nullable=False),
        sa.Column(
            "source_stamp",
            sa.String(length=80),
            server_default="",
            nullable=False,
            comment="the storefront's last-changed stamp",
        ),
        sa.Column(
            "source_version", sa.String(length=64), nullable=True, comment="fingerprint of the document as last read"
        ),
        sa.Column(
            "posted_version", sa.String(length=64), nullable=True, comment="fingerprint of the document as last sent"
        ),
        sa.Column("erp_ref", sa.String(length=64), nullable=True, comment="the ERP's id of the document; written once"),
        sa.Column(
            "erp_stamp",
            sa.String(length=40),
            server_default="",
            nullable=False,
            comment="the ERP's last-changed stamp when proved",
        ),
        sa.Column("market", sa.String(length=128), server_default="", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("total_minor", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.Column("released_at", Instant(), nullable=True),
        sa.Column("posted_at", Instant(), nullable=True),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True, comment="when the storefront's own life of it ended"),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "state in ('seen', 'held', 'observed', 'ready', 'posted', 'proven', 'cancelling', 'cancelled', 'dead', 'closed')",
            name=op.f("ck_job_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("instance", "kind", "number", name=op.f("uq_job_instance_kind_number")),
    )
    op.create_index("ix_job_due", "job", ["lane", "state", "not_before"], unique=False)
    op.create_index("ix_job_until", "job", ["until"], unique=False)
    op.create_table(
        "mapping",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("applied_at", Instant(), nullable=False),
        sa.Column("applied_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping")),
        sa.UniqueConstraint("connection", "version", name=op.f("uq_mapping_connection_version")),
    )
    op.create_table(
        "run",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_run")),
    )
    op.create_table(
        "spend",
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("measure", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("system", "measure", "slot", "lane", name=op.f("pk_spend")),
    )
    op.create_table(
        "arrival",
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "source", sa.String(length=16), nullable=False, comment="webhook, event, poll, reread, operator, back-check"
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_arrival_job_id")),
        sa.PrimaryKeyConstraint("job_id", "source", name=op.f("pk_arrival")),
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link", sa.String(length=32), nullable=False),
        sa.Column(
            "task_id", sa.String(length=64), nullable=False, comment="of the Celery task; a dead letter is known by it"
        ),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column(
            "outcome", sa.String(length=16), nullable=False, comment="open, done, parked, retry, unknown, dead, lost"
        ),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_attempt_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_job_id", "attempt", ["job_id"], unique=False)
    op.create_index("ix_attempt_task_id", "attempt", ["task_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False, comment="order, evidence"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_document_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    op.create_index("ix_document_job_id", "document", ["job_id", "kind"], unique=False)
    op.create_table(
        "effect",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False, comment="sales order, cancellation"),
        sa.Column(
            "class",
            sa.String(length=1),
            nullable=False,
            comment="A unique key, B draft then confirm, C look-up, D blind",
        ),
        sa.Column("reference", sa.String(length=128), nullable=False, comment="our own reference at the remote"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="intent, unknown, void, refused, done"),
        sa.Column("request", sa.String(length=64), nullable=False, comment="fingerprint of what was sent"),
        sa.Column("answer", sa.String(length=64), nullable=True, comment="the remote's id; written once"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("intent_at", Instant(), nullable=False),
        sa.Column("unknown_until", Instant(), nullable=True, comment="until then absence proves nothing"),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_effect_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effect")),
        sa.UniqueConstraint("job_id", "name", name=op.f("uq_effect_job_id_name")),
    )
    op.create_table(
        "proof",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("equal", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON of the comparison"),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_proof_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proof")),
    )
    op.create_index("ix_proof_job_id", "proof", ["job_id"], unique=False)
    op.create_table(
        "vault_key",
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("master", sa.String(length=32), nullable=False, comment="which master key wraps this one"),
        sa.Column(
            "wrapped", sa.LargeBinary(), nullable=True, comment="null once erased: everything sealed with it is gone"
        ),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_vault_key_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_vault_key")),
    )
    op.create_table(
        "exception",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=255), nullable=False),
        sa.Column("instance", sa.String(length=64), server_default="", nullable=False),
        sa.Column("connection", sa.String(length=64), server_default="", nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "document_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="what the ERP said, sealed",
        ),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("assignee", sa.String(length=64), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="open, acknowledged, resolved"),
        sa.Column("money_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="", nullable=False),
        sa.Column("occurrences", sa.Integer(), server_default="1", nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("act_by", Instant(), nullable=False),
        sa.Column("snoozed_until", Instant(), nullable=True),
        sa.Column("resolved_at", Instant(), nullable=True),
        sa.Column("resolution", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_exception_document_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_exception_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exception")),
    )
    op.create_index("ix_exception_state", "exception", ["state", "type"], unique=False)
    op.create_index(
        "uq_exception_open_cause",
        "exception",
        ["connection", "type", "cause"],
        unique=True,
        sqlite_where=sa.text("state <> 'resolved' AND job_id IS NULL"),
        postgresql_where=sa.text("state <> 'resolved' AND job_id IS NULL"),
    )
    op.create_index(
        "uq_exception_open_job",
        "exception",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'resolved' AND job_id IS NOT NULL"),
        postgresql_where=sa.text("state <> 'resolved' AND job_id IS NOT NULL"),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("exception_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["exception_id"], ["exception.id"], name=op.f("fk_history_exception_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("ix_history_exception_id", "history", ["exception_id"], unique=False)
    op.create_table(
        "letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("task", sa.String(length=128), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column(
            "exception_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="null: its attempt was already recorded",
        ),
        sa.ForeignKeyConstraint(["exception_id"], ["exception.id"], name=op.f("fk_letter_exception_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
        sa.UniqueConstraint("task_id", "deaths", name=op.f("uq_letter_task_id_deaths")),
    )

    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)

"""Every table. Instants are aware UTC; money is whole minor units beside its currency; text is never personal data.

Personal data stands only in `document.sealed`, encrypted under the data key in `vault_key`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from integration.store.columns import NAMES, Id, Instant, id_column, job_column

metadata = MetaData(naming_convention=NAMES)

STATES = (
    *("seen", "held", "observed", "ready", "created", "captured", "posted", "opened", "received", "proven"),
    *("cancelling", "cancelled", "dead", "closed"),
)

OPEN_ROWS = (
    "(job.dirty_seq > job.clean_seq OR job.state IN "
    "('held', 'ready', 'created', 'captured', 'posted', 'received', 'cancelling'))"
)
"""Rows that some link may claim, now or later: few beside all that is over, so what looks for work looks only there. Asked
for in these very words, or a database does not recognise its index.
"""
_OPEN = text(OPEN_ROWS.replace("job.", ""))

job = Table(
    "job",
    metadata,
    id_column(),
    Column("instance", String(64), nullable=False, comment="the Centra instance"),
    Column("kind", String(32), nullable=False),
    Column("number", String(128), nullable=False, comment="of the document; of a product, its SKU"),
    Column("lane", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("dirty_seq", Integer, nullable=False, comment="hints so far"),
    Column("clean_seq", Integer, nullable=False, comment="hints that have been read up to"),
    Column("connection", String(64), comment="the ERP; frozen by the first intent"),
    Column("mapping_version", Integer),
    Column("not_before", Instant),
    Column("reason", Text, nullable=False, server_default="", comment="why it stands where it stands, in words"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("owner", String(128), comment="who holds the lease"),
    Column("until", Instant, comment="when the lease ends"),
    Column("fence", Integer, nullable=False, server_default="0", comment="rises with every claim"),
    Column("rung_at", Instant),
    Column("read_at", Instant, comment="when the storefront was last asked about it"),
    Column("source_status", String(32), nullable=False, server_default=""),
    Column(
        "source_stamp", String(80), nullable=False, server_default="", comment="the storefront's last-changed stamp"
    ),
    Column("source_version", String(64), comment="fingerprint of the document as last read"),
    Column("posted_version", String(64), comment="fingerprint of the document as last sent"),
    Column("erp_ref", String(64), comment="the ERP's id of the document; written once"),
    Column(
        "erp_stamp", String(40), nullable=False, server_default="", comment="the ERP's last-changed stamp when proved"
    ),
    Column("order_number", String(64), comment="the order that a shipment, return or refund belongs to"),
    Column("return_number", String(64), comment="the return that a refund pays for"),
    Column("market", String(128), nullable=False, server_default=""),
    Column("currency", String(3)),
    Column("total_minor", BigInteger),
    Column("occurred_at", Instant, comment="when it happened in the world: placed, dispatched, refunded"),
    Column("first_seen_at", Instant, nullable=False),
    Column("released_at", Instant),
    Column("posted_at", Instant),
    Column("done_at", Instant),
    Column("closed_at", Instant, comment="when the storefront's own life of it ended"),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("instance", "kind", "number"),
    CheckConstraint(f"state in {STATES}", name="state"),
    Index("ix_job_open", "lane", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_job_open_state", "lane", "state", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_job_open_rung_at", "lane", "rung_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_job_order_number", "instance", "order_number"),
    Index("ix_job_return_number", "instance", "return_number"),
    Index("ix_job_changed_at", "instance", "changed_at"),
    Index("ix_job_occurred_at", "connection", "kind", "occurred_at"),
    Index("ix_job_until", "until"),
)

arrival = Table(
    "arrival",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True),
    Column("source", String(16), primary_key=True, comment="webhook, event, poll, reread, operator, back-check"),
    Column("count", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
)

attempt = Table(
    "attempt",
    metadata,
    id_column(),
    job_column(),
    Column("link", String(32), nullable=False),
    Column("task_id", String(64), nullable=False, comment="of the Celery task; a dead letter is known by it"),
    Column("owner", String(128), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", String(16), nullable=False, comment="open, done, parked, retry, unknown, dead, lost"),
    Column("note", Text, nullable=False, server_default=""),
    Index("ix_attempt_job_id", "job_id"),
    Index("ix_attempt_task_id", "task_id"),
    Index("ix_attempt_ended_at", "ended_at"),
)

effect = Table(
    "effect",
    metadata,
    id_column(),
    job_column(),
    Column("name", String(64), nullable=False, comment="sales order, cancellation"),
    Column("class", String(1), nullable=False, comment="A unique key, B draft then confirm, C look-up, D blind"),
    Column("reference", String(128), nullable=False, comment="our own reference at the remote"),
    Column("state", String(16), nullable=False, comment="intent, accepted, unknown, void, refused, done"),
    Column("request", String(64), nullable=False, comment="fingerprint of what was sent"),
    Column("answer", String(64), comment="the remote's id; written once"),
    Column("tries", Integer, nullable=False),
    Column("intent_at", Instant, nullable=False),
    Column("unknown_until", Instant, comment="until then absence proves nothing"),
    Column("answered_at", Instant),
    UniqueConstraint("job_id", "name"),
)

offer = Table(
    "offer",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True),
    Column("channel", String(64), nullable=False, comment="from where the other side fetches it"),
    Column("offered_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False, comment="by then it is to be acknowledged"),
    Column("pulls", Integer, nullable=False, server_default="0"),
    Column("pulled_at", Instant, comment="the last time"),
    Column("acknowledged_at", Instant, comment="the other side says that it has it"),
)

proof = Table(
    "proof",
    metadata,
    id_column(),
    job_column(),
    Column("at", Instant, nullable=False),
    Column("equal", Boolean, nullable=False),
    Column("document", Text, nullable=False, comment="JSON of the comparison"),
    Column("seal", String(64), nullable=False),
    Index("ix_proof_job_id", "job_id"),
)

vault_key = Table(
    "vault_key",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True),
    Column("master", String(32), nullable=False, comment="which master key wraps this one"),
    Column("wrapped", LargeBinary, comment="null once erased: everything sealed with it is gone"),
    Column("erased_at", Instant),
)

document = Table(
    "document",
    metadata,
    id_column(),
    job_column(),
    Column("kind", String(32), nullable=False, comment="order, evidence"),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_document_job_id", "job_id", "kind"),
)

exception = Table(
    "exception",
    metadata,
    id_column(),
    Column("type", String(64), nullable=False),
    Column("cause", String(255), nullable=False),
    Column("instance", String(64), nullable=False, server_default=""),
    Column("connection", String(64), nullable=False, server_default=""),
    Column("job_id", Id, ForeignKey("job.id")),
    Column("message", Text, nullable=False),
    Column("document_id", Id, ForeignKey("document.id", ondelete="SET NULL"), comment="what the ERP said, sealed"),
    Column("owner", String(64), nullable=False),
    Column("assignee", String(64), nullable=False, server_default=""),
    Column("state", String(16), nullable=False, comment="open, acknowledged, resolved"),
    Column("money_minor", BigInteger, nullable=False, server_default="0"),
    Column("currency", String(3), nullable=False, server_default=""),
    Column("occurrences", Integer, nullable=False, server_default="1"),
    Column("opened_at", Instant, nullable=False),
    Column("act_by", Instant, nullable=False),
    Column("snoozed_until", Instant),
    Column("resolved_at", Instant),
    Column("resolution", String(64), nullable=False, server_default=""),
    Index("ix_exception_state", "state", "type"),
    Index(
        "uq_exception_open_job",
        "job_id",
        unique=True,
        sqlite_where=text("state <> 'resolved' AND job_id IS NOT NULL"),
        postgresql_where=text("state <> 'resolved' AND job_id IS NOT NULL"),
    ),
    Index(
        "uq_exception_open_cause",
        "connection",
        "type",
        "cause",
        unique=True,
        sqlite_where=text("state <> 'resolved' AND job_id IS NULL"),
        postgresql_where=text("state <> 'resolved' AND job_id IS NULL"),
    ),
)

history = Table(
    "history",
    metadata,
    id_column(),
    Column("exception_id", Id, ForeignKey("exception.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("verb", String(32), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Index("ix_history_exception_id", "exception_id"),
)

letter = Table(
    "letter",
    metadata,
    id_column(),
    Column("task_id", String(64), nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("lane", String(16), nullable=False),
    Column("task", String(128), nullable=False),
    Column("at", Instant, nullable=False),
    Column("exception_id", Id, ForeignKey("exception.id"), comment="null: its attempt was already recorded"),
    UniqueConstraint("task_id", "deaths"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("stream", String(32), primary_key=True),
    Column("value", String(255), nullable=False),
    Column("at", Instant, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("slot", String(32), primary_key=True),
    Column("at", Instant, nullable=False),
)

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("process", String(128), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("note", String(255), nullable=False, server_default=""),
)

spend = Table(
    "spend",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("measure", String(32), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("lane", String(16), primary_key=True),
    Column("used", Integer, nullable=False),
)

breaker = Table(
    "breaker",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("closed_until", Instant, comment="no call before this instant: throttled or open"),
    Column("open_since", Instant),
    Column("why", String(32), nullable=False, server_default=""),
    Column("slow_until", Instant, comment="it answers late: one call at a time until this instant"),
    Column("turn_until", Instant, comment="whoever has that call has it until this instant at most"),
)

unit = Table(
    "unit",
    metadata,
    Column("job_id", Id, ForeignKey("job.id"), primary_key=True),
    Column("sku", String(128), primary_key=True, comment="a component where the line was a bundle"),
    Column("quantity", Integer, nullable=False, comment="pieces ordered, dispatched or returned"),
    Index("ix_unit_sku", "sku"),
)

variant = Table(
    "variant",
    metadata,
    Column("instance", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
    Column("ref", String(64), nullable=False, comment="the storefront's own address of the SKU, opaque to us"),
    Column("at", Instant, nullable=False),
)

listing = Table(
    "listing",
    metadata,
    Column("system", String(64), primary_key=True, comment="a Centra instance, or an ERP's connection"),
    Column("sku", String(128), primary_key=True, comment="in that system's own spelling"),
    Column("folded", String(128), nullable=False, comment="what two spellings of one SKU have in common"),
    Column("ref", String(64), nullable=False, comment="the system's own address of it"),
    Column(
        "family", String(64), nullable=False, comment="what is put on sale as one, where the system has such a thing"
    ),
    Column("status", String(16), nullable=False, comment="on sale, held back, archived"),
    Column("ean", String(64), nullable=False),
    Column("at", Instant, nullable=False, comment="when the system was last seen to have it"),
    Index("ix_listing_ref", "system", "ref"),
    Index("ix_listing_ean", "system", "ean"),
    Index("ix_listing_folded", "system", "folded"),
)

LEVEL_STATES = ("hinted", "read", "pushed", "shown", "held", "orphan")

level = Table(
    "level",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("place", String(32), primary_key=True, comment="the storefront's warehouse"),
    Column("sku", String(128), primary_key=True),
    Column("state", String(16), nullable=False, comment="what was done last; hints are counted beside it"),
    Column("dirty_seq", Integer, nullable=False, comment="hints so far"),
    Column("clean_seq", Integer, nullable=False, comment="hints that the figure has answered"),
    Column("urgency", Integer, nullable=False, server_default="0", comment="lower goes first: units left when hinted"),
    Column("waits_since", Instant, comment="the oldest hint whose answer the storefront does not show yet"),
    Column("figure", Integer, comment="the ERP's figure as last read"),
    Column("figure_at", Instant, comment="our clock before it was asked; an older reading never replaces a newer"),
    Column("known", Integer, comment="units of open orders that the figure has deducted already"),
    Column("unposted", Integer, comment="units sold that the figure has not deducted"),
    Column("buffer", Integer, comment="units held back"),
    Column("physical", Integer, comment="what the storefront had when it was last read, in units"),
    Column("allocated", Integer, comment="of these, what it held for orders"),
    Column("demand", Integer, comment="what it had sold and could not allocate"),
    Column("desired", Integer, comment="units that shoppers may buy"),
    Column("pushed", Integer, comment="the number sent, in the connection's quantity type"),
    Column("pushed_at", Instant),
    Column("pushed_figure_at", Instant, comment="the figure_at of what the storefront was told; never goes back"),
    Column("tries", Integer, nullable=False, server_default="0", comment="pushes in a row that were not read back"),
    Column("leapt_at", Instant, comment="when it last dropped to nothing or changed by more than half"),
    Column("shown", Integer, comment="units that shoppers can buy, as read back"),
    Column("shown_at", Instant),
    Column("stopped_until", Instant, comment="until then nothing of it is sold, by a person's word"),
    Column("stopped_why", String(255), nullable=False, server_default=""),
    CheckConstraint(f"state in {LEVEL_STATES}", name="state"),
    Index(
        "ix_level_unread",
        *("connection", "urgency", "waits_since", "sku"),
        sqlite_where=text("dirty_seq > clean_seq"),
        postgresql_where=text("dirty_seq > clean_seq"),
    ),
    # The connection last: there are few, and PostgreSQL without statistics would take any index that begins with one.
    Index("ix_level_sku", "sku", "connection"),
    Index("ix_level_state", "state", "connection"),
    Index("ix_level_pushed_at", "pushed_at", "connection"),
    Index("ix_level_waits_since", "waits_since", "connection"),
)

tally = Table(
    "tally",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("day", String(10), primary_key=True, comment="business day in the connection's time zone, 2026-05-04"),
    Column("market", String(128), primary_key=True),
    Column("kind", String(16), primary_key=True, comment="orders, shipments, refunds"),
    Column("currency", String(3), primary_key=True),
    Column("storefront_count", Integer, nullable=False),
    Column("storefront_sum", BigInteger, nullable=False, comment="minor units; pieces where no currency is named"),
    Column("erp_count", Integer, nullable=False),
    Column("erp_sum", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)

difference = Table(
    "difference",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("kind", String(16), primary_key=True, comment="orders, shipments, refunds"),
    Column("number", String(64), primary_key=True, comment="of the document that differs"),
    Column("market", String(128), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("minor", BigInteger, nullable=False, comment="storefront less ERP; pieces where no currency is named"),
    Column("class", String(16), nullable=False, comment="waiting, exception, timing, unexplained"),
    Column("reason", Text, nullable=False, comment="why, in words"),
    Column("at", Instant, nullable=False),
)

item = Table(
    "item",
    metadata,
    Column("connection", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
    Column("ref", String(64), comment="the ERP's id; null when the ERP does not know the SKU"),
    Column("active", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
)

mapping = Table(
    "mapping",
    metadata,
    id_column(),
    Column("connection", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("applied_by", String(64), nullable=False),
    UniqueConstraint("connection", "version"),
)

audit = Table(
    "audit",
    metadata,
    id_column(),
    Column("at", Instant, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(255), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("seal", String(64), nullable=False, comment="SHA-256 over this row and the seal before it"),
)

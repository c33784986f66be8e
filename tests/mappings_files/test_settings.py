"""Settings name the variable that is wrong and never its value; logs never show a secret."""

import ast
import io
import json
import logging
import re
from pathlib import Path

import pytest
import structlog

from integration import settings, telemetry
from integration.settings import Secret, SettingsError, read_settings

GIVEN = {
    "LOCKSTEP_CENTRA": "brand",
    "LOCKSTEP_BRAND_URL": "https://brand.test",
    "LOCKSTEP_BRAND_TOKEN": "token-very-secret",
    "LOCKSTEP_BRAND_WEBHOOK_SECRETS": "hook-secret-1 hook-secret-2",
    "LOCKSTEP_FULFIL_URL": "https://fulfil.test",
    "LOCKSTEP_FULFIL_TOKEN": "fulfil-very-secret",
    "LOCKSTEP_VAULT_KEY": "vault-very-secret",
    "LOCKSTEP_DATABASE_URL": "postgresql+psycopg://user:db-very-secret@127.0.0.1/x",
    "LOCKSTEP_BROKER_URL": "redis://user:broker-very-secret@127.0.0.1:6379/0",
    "LOCKSTEP_SENTRY_DSN": "https://dsn-very-secret@sentry.test/1",
}
SECRETS = ("token-very-secret", "hook-secret-1", "hook-secret-2", "fulfil-very-secret", "vault-very-secret")
SECRETS += ("db-very-secret", "broker-very-secret", "dsn-very-secret")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCKSTEP_CENTRA", "Wrong_Secret"), ("LOCKSTEP_CENTRA", "../wrong-secret"), ("LOCKSTEP_POLL_SECONDS", "wrong-secret"),
        ("LOCKSTEP_POLL_SECONDS", "-1"), ("LOCKSTEP_POLL_SECONDS", "1e3"), ("LOCKSTEP_POLL_SECONDS", "١"),
        ("LOCKSTEP_LEASE_SECONDS", ""), ("LOCKSTEP_PAYLOAD_DAYS", "wrong-secret"), ("LOCKSTEP_PAYLOAD_DAYS", "1.5"),
        ("LOCKSTEP_BRAND_EVENTS", "wrong-secret"), ("LOCKSTEP_BRAND_UPDATED_FILTER", "1"),
        ("LOCKSTEP_BRAND_TOKEN_FILE", "/wrong-secret/nowhere"), ("LOCKSTEP_VAULT_KEY_FILE", "/wrong-secret/nowhere"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_and_its_value_is_not_told(name, value):
    with pytest.raises(SettingsError, match=name) as raised:
        read_settings({**GIVEN, name: value})
    assert "secret" not in str(raised.value).lower().replace("webhook_secrets", "")
    assert value == "" or len(value) < 3 or value not in str(raised.value)


def test_what_is_missing_is_named():
    with pytest.raises(SettingsError, match="LOCKSTEP_BRAND_URL is not set"):
        read_settings({"LOCKSTEP_CENTRA": "brand"})
    with pytest.raises(SettingsError, match="LOCKSTEP_WEB_SHOP_URL and LOCKSTEP_WEB_SHOP_TOKEN"):
        read_settings(GIVEN).erp("web-shop")
    with pytest.raises(SettingsError, match="LOCKSTEP_FULFIL_REQUESTS_PER_SECOND"):
        read_settings({**GIVEN, "LOCKSTEP_FULFIL_REQUESTS_PER_SECOND": "many"}).erp("fulfil")


def test_no_secret_is_in_what_settings_print():
    told = read_settings(GIVEN)
    for text in (repr(told), str(told), repr(told.shown()), repr(told.erp("fulfil")), repr(told.centra)):
        for secret in SECRETS:
            assert secret not in text
    assert repr(Secret("x")) == "***"
    assert repr(Secret("")) == "(not set)"
    assert told.shown()["database_url"] == "postgresql+psycopg://user:***@127.0.0.1/x"


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path):
    path = tmp_path / "token"
    path.write_text("from-a-file\n")
    told = read_settings({**GIVEN, "LOCKSTEP_BRAND_TOKEN_FILE": str(path), "LOCKSTEP_FULFIL_TOKEN_FILE": str(path)})
    assert told.centra[0].token.reveal() == "from-a-file"
    assert told.erp("fulfil").token.reveal() == "from-a-file"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="LOCKSTEP_BRAND_TOKEN_FILE cannot be read"):
        read_settings({**GIVEN, "LOCKSTEP_BRAND_TOKEN_FILE": str(path)})


def config(tmp_path, content, mode=0o600):
    path = tmp_path / "lockstep.conf"
    path.write_bytes(content)
    path.chmod(mode)
    return {"LOCKSTEP_CONFIG": str(path)}


def test_a_file_of_settings_is_read_and_the_environment_wins(tmp_path):
    named = config(tmp_path, b"# a note\n\nLOCKSTEP_ENVIRONMENT = staging\nLOCKSTEP_SENTRY_DSN=https://a=b@c/1\n")
    assert read_settings(named).environment == "staging"
    assert read_settings(named).sentry_dsn.reveal() == "https://a=b@c/1"
    assert read_settings({**named, "LOCKSTEP_ENVIRONMENT": "production"}).environment == "production"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666, 0o660, 0o601])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    with pytest.raises(SettingsError, match=r"LOCKSTEP_CONFIG.*chmod 600"):
        read_settings(config(tmp_path, b"LOCKSTEP_ENVIRONMENT=x\n", mode))


@pytest.mark.parametrize("content", [b"LOCKSTEP_ENVIRONMENT wrong-secret\n", b"\xff\xfewrong-secret"])
def test_a_file_that_cannot_be_read_is_told_by_its_variable(tmp_path, content):
    with pytest.raises(SettingsError, match="LOCKSTEP_CONFIG") as raised:
        read_settings(config(tmp_path, content))
    assert "wrong-secret" not in str(raised.value)


def test_a_file_that_is_not_there_is_told_by_its_variable(tmp_path):
    with pytest.raises(SettingsError, match="LOCKSTEP_CONFIG"):
        read_settings({"LOCKSTEP_CONFIG": str(tmp_path / "none")})


def variables_read():
    """The names `settings.py` reads, from its source: instance and connection as the example spells them."""
    found = {"LOCKSTEP_CONFIG"}
    tree = ast.parse(Path(settings.__file__).read_text(encoding="utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        prefix = {"_centra": "BRAND", "_erp": "FULFIL"}.get(function.name, "")
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "given"):
                continue
            if isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
            elif isinstance(node.args[0], ast.JoinedStr):
                name = prefix + node.args[0].values[-1].value
            else:
                continue
            found.add(f"LOCKSTEP_{name}")
            if node.func.attr == "secret":
                found.add(f"LOCKSTEP_{name}_FILE")
    return found


def test_the_example_names_exactly_the_variables_that_are_read():
    text = (Path(settings.__file__).parents[1] / "deploy" / "env.example").read_text()
    named = set(re.findall(r"^#?(LOCKSTEP_[A-Z_]+)=", text, re.MULTILINE))
    assert named > {
        "LOCKSTEP_ORDERWISE_URL",
        "LOCKSTEP_ORDERWISE_TOKEN_FILE",
        "LOCKSTEP_ORDERWISE_WEBHOOK_SECRETS_FILE",
    }
    assert {name.replace("ORDERWISE", "FULFIL") for name in named} == variables_read()


def test_the_defaults_of_the_example_are_the_defaults():
    text = (Path(settings.__file__).parents[1] / "deploy" / "env.example").read_text()
    shown = dict(
        re.findall(r"^#(LOCKSTEP_[A-Z_]+_(?:SECONDS|DAYS|SECOND|PLAN|FILTER|EVENTS))=(.+)$", text, re.MULTILINE)
    )
    assert len(shown) >= 10
    assert read_settings({**GIVEN, **shown}) is not None
    given = {**GIVEN, "LOCKSTEP_ORDERWISE_URL": "https://orderwise.test", "LOCKSTEP_ORDERWISE_TOKEN": "a:b"}
    plain, told = read_settings(given), read_settings({**given, **shown})
    assert told.shown() == plain.shown()
    assert told.erp("fulfil") == plain.erp("fulfil")
    assert told.erp("orderwise") == plain.erp("orderwise")


@pytest.fixture
def logged(tmp_path):
    """`logged(act, **variables)`: the lines that come of logging under settings; the root logger is put back."""
    root, before = logging.getLogger(), (logging.getLogger().handlers, logging.getLogger().level)

    def run(act, **variables):
        given = {k: v for k, v in GIVEN.items() if k != "LOCKSTEP_SENTRY_DSN"} | variables
        telemetry.configure(read_settings(given))
        out = io.StringIO()
        root.handlers[0].setStream(out)
        act(structlog.get_logger("test"), logging.getLogger("test"))
        return out.getvalue()

    yield run
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.scenario("SEC-02")
@pytest.mark.parametrize("secret", [s for s in SECRETS if not s.startswith("dsn")])
def test_a_secret_is_cut_out_of_every_place_of_a_line(logged, secret):
    def act(ours, theirs):
        ours.warning(f"text {secret} here", field=f"a {secret}", nested={"deep": [secret]}, odd=ValueError(secret))
        theirs.error("plain %s", secret)
        try:
            raise ValueError(f"boom {secret}")
        except ValueError:
            theirs.exception("failed")

    text = logged(act)
    assert secret not in text
    assert text.count("***") >= 6
    assert [json.loads(line)["level"] for line in text.splitlines()] == ["warning", "error", "error"]


def test_a_secret_that_stands_in_a_file_is_cut_out_too(logged, tmp_path):
    for name in ("BRAND_TOKEN", "FULFIL_TOKEN", "BRAND_WEBHOOK_SECRETS", "VAULT_KEY"):
        path = tmp_path / name
        path.write_text(f"filed-{name}\n")
        text = logged(
            lambda ours, theirs, name=name: ours.warning(f"x filed-{name} y"), **{f"LOCKSTEP_{name}_FILE": str(path)}
        )
        assert json.loads(text)["event"] == "x *** y"


def test_a_line_cannot_be_forged_by_what_it_holds(logged):
    text = logged(lambda ours, theirs: ours.warning('a\r\n{"event": "forged"}', name="b\nc\u2028d"))
    assert len(text.splitlines()) == 1
    assert text.isascii()

"""The documents cannot lie: every command, target, path and variable they name exists."""

import re
from pathlib import Path

import click
import pytest
from graphql import FieldNode, TypeInfo, TypeInfoVisitor, Visitor, get_named_type, parse, visit

import tasks.finance
import tasks.intake
import tasks.order_post  # noqa: F401 - registers the links
from integration.sandbox.centra_language import FIELD_PERMISSIONS, TYPE_PERMISSIONS, schema
from tasks import celery
from tasks.cli import main
from tasks.step import LINKS
from tasks.supervisor import procfile

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "mappings").glob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]


def commands(text: str) -> set[tuple[str, ...]]:
    """`lockstep mappings apply` and its like, as words."""
    found = re.findall(r"`?lockstep ((?:[a-z]+(?:-[a-z]+)*)(?: [a-z]+)?)", text)
    return {tuple(words.split()) for words in found}


def exists(words: tuple[str, ...]) -> bool:
    context = click.Context(main)
    command = main.get_command(context, words[0])
    if isinstance(command, click.Group) and len(words) > 1:
        return command.get_command(context, words[1]) is not None
    return command is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_a_document_names_exists(document: Path) -> None:
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", document.read_text(encoding="utf-8"), re.DOTALL))
    named = {words for words in commands(code) if words[0] not in ("is", "and")}
    assert [words for words in sorted(named) if not exists(words)] == []


def test_every_command_has_words_of_help() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(), name


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", "\n".join(re.findall(r"```.*?```|`[^`\n]+`", README, re.DOTALL))))
    assert named
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:integration|tasks|mappings|tests|deploy)/[\w./-]+)`", text)
    linked = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    missing = [path for path in named if not (ROOT / path).exists()]
    missing += [path for path in linked if not (document.parent / path).exists()]
    assert missing == []


def test_the_step_table_names_the_links_that_there_are() -> None:
    import tasks

    table = str(tasks.__doc__)
    for place, link in LINKS.items():
        words = link.function.__name__.replace("_", " ")
        assert words in table, f"{words} is not in the step table"
        assert celery.TASKS[place] == f"{link.lane}.{link.function.__name__}"
        assert celery.CHAINS[place][0] == link.name


def test_the_procfile_starts_what_the_design_names() -> None:
    assert list(procfile()) == ["web", "orders", "lanes", "finance", "sweep", "dead-letters", "beat", "flower"]


def test_every_decision_says_context_decision_and_consequences() -> None:
    decisions = sorted((ROOT / "deploy" / "decisions").glob("*.md"))
    assert decisions
    for page in decisions:
        text = page.read_text(encoding="utf-8")
        assert [word for word in ("Context", "Decision", "Consequences") if word not in text] == [], page.name


class _Asked(Visitor):
    """The permissions that a document of GraphQL needs."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types, self.permissions = types, set[str]()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        type_ = get_named_type(self.types.get_type())
        named = FIELD_PERMISSIONS.get(node.name.value) or TYPE_PERMISSIONS.get(type_.name if type_ else "")
        self.permissions |= {named} if named else set()


def test_the_runbook_of_a_refused_token_lists_every_permission_that_our_queries_need() -> None:
    types = TypeInfo(schema(updated_at_filter=True))
    asked = _Asked(types)
    for query in sorted((ROOT / "integration/centra/queries").glob("*.graphql")):
        visit(parse(query.read_text(encoding="utf-8")), TypeInfoVisitor(types, asked))
    listed = (ROOT / "deploy/runbooks/connection-auth.md").read_text(encoding="utf-8")
    assert len(asked.permissions) > 20
    assert sorted(name for name in asked.permissions if f"`{name}`" not in listed) == []

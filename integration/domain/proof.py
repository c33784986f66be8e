"""The penny proof: what we sent and what the other system reads back, component by component."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from integration.domain.money import Money

Value = Money | int | str


@dataclass(frozen=True, slots=True)
class Component:
    """One compared fact; `None` where a side does not have it."""

    name: str
    ours: Value | None
    theirs: Value | None

    @property
    def equal(self) -> bool:
        return self.ours == self.theirs

    def __str__(self) -> str:
        return f"{self.name}: we have {_shown(self.ours)}, they have {_shown(self.theirs)}"


@dataclass(frozen=True, slots=True)
class Proof:
    """A finished comparison. `carried` lists components that live inside others, e.g. a voucher inside line prices."""

    components: tuple[Component, ...]
    carried: tuple[tuple[str, str], ...] = ()

    @property
    def differences(self) -> tuple[Component, ...]:
        return tuple(c for c in self.components if not c.equal)

    @property
    def equal(self) -> bool:
        return not self.differences

    def document(self) -> dict[str, object]:
        """JSON form: `{"components": [[name, ours, theirs], …], "carried": [[name, value], …], "equal": bool}`."""
        rows = [[c.name, _shown(c.ours), _shown(c.theirs)] for c in self.components]
        return {"components": rows, "carried": [list(c) for c in self.carried], "equal": self.equal}


def compare(ours: Mapping[str, Value], theirs: Mapping[str, Value], carried: Mapping[str, str] | None = None) -> Proof:
    """Compare two sets of named components; a component that only one side has is a difference."""
    names = [*ours, *(name for name in theirs if name not in ours)]
    rows = tuple(Component(name, ours.get(name), theirs.get(name)) for name in names)
    return Proof(rows, tuple((carried or {}).items()))


def seal(document: Mapping[str, object], *, before: str = "") -> str:
    """SHA-256 over a canonical JSON document and the seal before it, in hex: a changed or moved row shows."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _shown(value: Value | None) -> str | int | None:
    return str(value) if isinstance(value, Money) else value

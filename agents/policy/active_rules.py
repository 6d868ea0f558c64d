"""The rules in force: those of each merchant beside those for all, and which of them match."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import orjson

from agents.rules.deciding import NO_ACTION, NO_RULE, decide
from agents.rules.nodes import keys_of
from agents.rules.wording import describe
from schemas.edits import EVERYONE
from streams.events.methods import ANY_ACTION
from streams.events.rows import hash_of
from streams.wire.matured import RULES_KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from agents.rules.columns import MemberList
    from agents.rules.event_columns import EventColumns
    from agents.rules.rule import Rule
    from agents.rules.rule_set import RuleSet

_HASH_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule in force.

    Attributes
    ----------
    rule
        The rule.
    merchant
        Whose it is.
    hash
        By which a kept charge names it: of its merchant and its label, 32 bits, never 0.
    told
        It among the `rules` of a scored charge, in JSON.
    keys
        The attributes that it names.
    """

    rule: Rule
    merchant: str
    hash: int
    told: bytes
    keys: tuple[str, ...]

    @classmethod
    def of(cls, rule: Rule, merchant: str) -> Self:
        """Make it of a rule of a merchant."""
        told = {"id": rule.label, "action": rule.action}
        return cls(
            rule,
            merchant,
            rule_hash(merchant, rule.label),
            orjson.dumps(told | {"shadow": True} if rule.is_shadow else told),
            tuple(sorted(keys_of(rule.condition))),
        )

    def reason(self, columns: EventColumns, place: int) -> bytes:
        """Return why it decided a charge, as a reason of the scored charge in JSON."""
        text = describe(self.rule, columns.row(place, self.keys))
        return orjson.dumps({"feature": f"rule:{self.rule.label}", "value": 1, "text": text})


def rule_hash(merchant: str, label: str) -> int:
    """Return by which number kept charges name a rule: 32 bits, never 0."""
    return hash_of(f"{merchant} {label}") >> (64 - _HASH_BITS) or 1


@dataclass(frozen=True, slots=True)
class MerchantRuleSet:
    """The rules of one merchant, or those for all, in one version."""

    merchant: str
    version: int
    rules: RuleSet

    @property
    def name(self) -> str:
        """The version as a scored charge tells it."""
        return f"{self.merchant}:{self.version}"


class _Group:
    """The rules that hold for some merchants: their own first, and then those for all."""

    def __init__(self, sets: Sequence[MerchantRuleSet]) -> None:
        self.own = next((each.rules for each in sets if each.merchant != EVERYONE), None)
        self.active = [
            ActiveRule.of(rule, each.merchant) for each in sets for rule in each.rules.rules
        ]
        self.rules = [active.rule for active in self.active]
        self.hashes = np.array([active.hash for active in self.active], np.uint32)
        names = ",".join(each.name for each in sets)
        self.told = b',"rule_set":%b' % orjson.dumps(names) if sets else b""


@dataclass(frozen=True, slots=True)
class Matches:
    """What the rules say of N charges.

    Attributes
    ----------
    actions
        i1[N], what they decide, `NO_ACTION` where none does.
    kept
        u4[N, RULES_KEPT], the hashes of those that match: first the one that decides, if one does,
        and then in their order, as many as there is room for.
    told
        N, the members `rules` and `rule_set` of the scored charges, in JSON with commas before.
    """

    actions: NDArray[np.int8]
    kept: NDArray[np.uint32]
    told: list[bytes]


class ActiveRules:
    """The rules in force.

    Parameters
    ----------
    sets
        By merchant, `EVERYONE` for those for all.

    Attributes
    ----------
    by_hash
        All rules, by the hash that names them.
    """

    def __init__(self, sets: Mapping[str, MerchantRuleSet] = MappingProxyType({})) -> None:
        of_all = sets.get(EVERYONE)
        self._of_all = of_all.rules if of_all else None
        shared = [of_all] if of_all else []
        own = sorted(
            (hash_of(merchant), each) for merchant, each in sets.items() if merchant != EVERYONE
        )
        self._merchants = np.array([merchant for merchant, _ in own], np.uint64)
        self._groups = [_Group(shared), *(_Group([each, *shared]) for _, each in own)]
        self.by_hash = {rule.hash: rule for group in self._groups for rule in group.active}

    def __bool__(self) -> bool:
        """Whether any set is in force, be it one without rules."""
        return any(group.told for group in self._groups)

    def match(
        self,
        merchants: NDArray[np.uint64],
        columns: EventColumns,
        lists: Mapping[str, MemberList],
        possible: NDArray[np.uint8] | None = None,
    ) -> Matches:
        """Return what they say of a batch.

        Parameters
        ----------
        merchants
            Hashes of the charges' merchants, u8[N].
        columns
            Of the same charges.
        lists
            The named lists.
        possible
            u1[N], what can be done with each charge: bit n for the action of code n. `None` if it
            is everything.
        """
        size = len(merchants)
        if possible is None:
            possible = np.full(size, ANY_ACTION, np.uint8)
        found = Matches(
            np.full(size, NO_ACTION, np.int8),
            np.zeros((size, RULES_KEPT), np.uint32),
            [self._groups[0].told] * size,
        )
        shared = np.zeros((0, size), np.bool_)
        if self._of_all is not None:
            shared = self._of_all.match(columns, lists)
        if not len(self._merchants):
            _tell(self._groups[0], shared, np.arange(size), found, possible)
            return found
        groups = self._groups_of(merchants)
        for number in np.unique(groups).tolist():
            group, places = self._groups[number], np.flatnonzero(groups == number)
            matched = shared[:, places]
            if group.own is not None:
                own = group.own.match(columns.take(places), lists)
                matched = np.concatenate((own, matched))
                for place in places.tolist():
                    found.told[place] = group.told
            _tell(group, matched, places, found, possible[places])
        return found

    def _groups_of(self, merchants: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return which group of rules holds for each charge, intp[N]."""
        places = np.minimum(np.searchsorted(self._merchants, merchants), len(self._merchants) - 1)
        return np.where(self._merchants[places] == merchants, places + 1, 0)


def _tell(
    group: _Group,
    matched: NDArray[np.bool_],
    places: NDArray[np.intp],
    found: Matches,
    possible: NDArray[np.uint8],
) -> None:
    """Write down which of a group of rules match the charges at some places."""
    columns = np.flatnonzero(matched.any(axis=0))
    if not len(columns):
        return
    actions, deciding = decide(group.rules, matched, possible)
    found.actions[places] = actions
    for column in columns.tolist():
        place, first = places[column], deciding[column]
        rules = np.flatnonzero(matched[:, column])
        told = b",".join([group.active[rule].told for rule in rules.tolist()])
        found.told[place] = b',"rules":[%b]%b' % (told, group.told)
        if first != NO_RULE:
            rules = np.concatenate(([first], rules[rules != first]))
        rules = rules[:RULES_KEPT]
        found.kept[place, : len(rules)] = group.hashes[rules]

"""The group coordinator of the simulated broker: members, generations, offsets.

Assignments are cooperative and sticky: a partition that is to move is first taken from its owner,
and given to the other in the generation after the owner has let go of it. Computed here, where a
real group has its leader do it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError

from tests.simulation.errors import error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.scheduling import Scheduler

logger = logging.getLogger(__name__)

Partition = tuple[str, int]
Offsets = dict[Partition, int]


class Member(NamedTuple):
    """A consumer as it names itself to the group."""

    id: str
    generation: int
    instance_id: str


@dataclass(slots=True)
class _Joined:
    instance_id: str
    session_s: float
    deadline: float
    claims: frozenset[int]
    answer: Callable[[str, int, frozenset[int]], None] | None
    """Tells the member its id, generation and partitions; `None` when it does not wait for it."""
    assigned: frozenset[int] = frozenset()


class Group:
    """One consumer group of one topic.

    Parameters
    ----------
    scheduler
        Its clock.
    partitions
        How many the topic has.
    is_up
        Whether the broker is there: while it is not, no session ends.
    """

    def __init__(self, scheduler: Scheduler, partitions: int, is_up: Callable[[], bool]) -> None:
        self.generation = 0
        self.offsets: Offsets = {}
        self._scheduler = scheduler
        self._partitions = partitions
        self._is_up = is_up
        self._members: dict[str, _Joined] = {}
        self._is_rebalancing = False
        self._ids = 0
        self._pending: dict[int, Offsets] = {}  # by producer id
        self._held_back: set[Partition] = set()

    @property
    def assignment(self) -> Mapping[str, frozenset[int]]:
        """The partitions of each member."""
        return {name: member.assigned for name, member in self._members.items()}

    @property
    def is_rebalancing(self) -> bool:
        """Whether the members are to join again."""
        return self._is_rebalancing

    @property
    def has_orphans(self) -> bool:
        """Whether a partition is nobody's though no rebalance is to come.

        So it is on a real broker, too, when a static member dies after it was told to give
        partitions up and before it has: its successor gets what was left, and nobody joins again.
        """
        assigned = sum(len(member.assigned) for member in self._members.values())
        return not self._is_rebalancing and assigned < self._partitions

    def join(
        self,
        member: Member,
        session_s: float,
        claims: frozenset[int],
        answer: Callable[[str, int, frozenset[int]], None],
    ) -> str:
        """Join or join again; the answer comes when all others have. Return the member's id."""
        name, instance_id = member.id, member.instance_id
        if not name:
            name = self._new_id()
            before = self._with_instance(instance_id)
            if before is not None:
                known = self._members.pop(before)
                self._members[name] = known
                self._watch(name)
                known.deadline = self._scheduler.now + session_s
                if not self._is_rebalancing:  # a static member is back: nothing moves
                    answer(name, self.generation, known.assigned)
                    return name
                known.answer, known.claims = answer, claims
                self._complete_if_all_joined()
                return name
        elif name not in self._members:
            raise error(KafkaError.UNKNOWN_MEMBER_ID)
        is_new = name not in self._members
        deadline = self._scheduler.now + session_s
        self._members[name] = _Joined(
            instance_id, session_s, deadline, claims, answer,
            frozenset() if is_new else self._members[name].assigned,
        )  # fmt: skip
        if is_new:
            self._watch(name)
        self._is_rebalancing = True
        self._complete_if_all_joined()
        return name

    def heartbeat(self, member: Member) -> None:
        """Prove that a member lives; an error tells it what to do."""
        self._check_known(member)
        known = self._members[member.id]
        known.deadline = self._scheduler.now + known.session_s
        if self._is_rebalancing and known.answer is None:
            raise error(KafkaError.REBALANCE_IN_PROGRESS)

    def leave(self, name: str) -> None:
        """Remove a member; the others rebalance."""
        logger.info("%s leaves the group", name)
        if self._members.pop(name, None) is not None and self._members:
            self._is_rebalancing = True
            self._complete_if_all_joined()

    def check(self, member: Member, *, in_transaction: bool) -> None:
        """Refuse the offsets of who is no member of this generation.

        Raises
        ------
        KafkaException
            Which has a transaction aborted.
        """
        if member.generation < 0 and not member.id:
            return  # who uses no group management may commit
        try:
            self._check_known(member)
        except Exception as refusal:
            code = refusal.args[0].code()
            raise error(code, "offsets refused", requires_abort=in_transaction) from None

    def commit(self, member: Member, offsets: Offsets) -> None:
        """Commit offsets outside of any transaction."""
        self.check(member, in_transaction=False)
        self.offsets |= offsets

    def add_pending(self, producer_id: int, offsets: Offsets) -> None:
        """Note offsets that count once their transaction is committed."""
        self._pending.setdefault(producer_id, {}).update(offsets)

    def settle(self, producer_id: int, *, is_committed: bool) -> None:
        """Let the offsets of a transaction count, or forget them."""
        offsets = self._pending.pop(producer_id, {})
        if is_committed:
            self.offsets |= offsets

    def forget_offset(self, partition: Partition) -> None:
        """Let an offset expire."""
        self.offsets.pop(partition, None)

    def hold_back(self) -> None:
        """Take the transactions that are open now for open ever after, as a restart may do."""
        self._held_back |= {p for offsets in self._pending.values() for p in offsets}

    def is_stable(self, partitions: list[Partition]) -> bool:
        """Tell whether no transaction holds offsets of these partitions."""
        if not self._held_back.isdisjoint(partitions):
            return False
        return not any(p in offsets for offsets in self._pending.values() for p in partitions)

    def extend_sessions(self) -> None:
        """Begin all sessions anew, as a broker does that comes back."""
        for member in self._members.values():
            member.deadline = self._scheduler.now + member.session_s

    def _check_known(self, member: Member) -> None:
        holder = self._with_instance(member.instance_id)
        if member.instance_id and holder is not None and holder != member.id:
            raise error(KafkaError.FENCED_INSTANCE_ID)
        if member.id not in self._members:
            raise error(KafkaError.UNKNOWN_MEMBER_ID)
        if member.generation != self.generation:
            raise error(KafkaError.ILLEGAL_GENERATION)

    def _with_instance(self, instance_id: str) -> str | None:
        named = (
            n for n, m in self._members.items() if instance_id and m.instance_id == instance_id
        )
        return next(named, None)

    def _new_id(self) -> str:
        self._ids += 1
        return f"member-{self._ids}"

    def _watch(self, name: str) -> None:
        """End the session of a member once it is silent for too long."""
        member = self._members.get(name)
        if member is None:
            return
        now = self._scheduler.now
        if now >= member.deadline and self._is_up() and member.answer is None:
            self.leave(name)
        else:
            self._scheduler.later(max(member.deadline - now, 0.5), lambda: self._watch(name))

    def _complete_if_all_joined(self) -> None:
        if not self._is_rebalancing or any(m.answer is None for m in self._members.values()):
            return
        self._is_rebalancing = False
        self.generation += 1
        shares = share_out(self._partitions, {n: m.claims for n, m in self._members.items()})
        logger.info("generation %d: %s", self.generation, {n: sorted(s) for n, s in shares.items()})
        for name, member in self._members.items():
            member.assigned = shares[name]
            member.deadline = self._scheduler.now + member.session_s
            answer, member.answer = member.answer, None
            assert answer is not None
            answer(name, self.generation, member.assigned)


def share_out(count: int, claims: Mapping[str, frozenset[int]]) -> dict[str, frozenset[int]]:
    """Share partitions evenly, moving as few as can be; those that move are given to nobody yet.

    Examples
    --------
    >>> shares = share_out(3, {"a": frozenset({0, 1, 2}), "b": frozenset()})
    >>> sorted(shares["a"]), sorted(shares["b"])
    ([0, 1], [])
    >>> shares = share_out(3, {"a": frozenset({0, 1}), "b": frozenset()})
    >>> sorted(shares["a"]), sorted(shares["b"])
    ([0, 1], [2])
    """
    owner: dict[int, str] = {}
    for name, claimed in claims.items():
        for partition in sorted(claimed):
            owner.setdefault(partition, name)
    kept: dict[str, list[int]] = {name: [] for name in claims}
    least, extra = divmod(count, len(claims))
    for partition, name in sorted(owner.items()):
        limit = least + (1 if extra else 0)
        if len(kept[name]) < limit:
            kept[name].append(partition)
            if len(kept[name]) == limit and limit > least:
                extra -= 1
    for partition in range(count):
        if not any(partition in own for own in kept.values()):
            name = min(kept, key=lambda name: len(kept[name]))
            if partition not in owner:
                kept[name].append(partition)
            else:
                kept[name].append(-1)  # its place is kept until the owner has let go
    return {name: frozenset(p for p in own if p >= 0) for name, own in kept.items()}

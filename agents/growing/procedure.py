"""The whole growth, step by step; stopped at any of them and typed again it goes on.

1. Nobody may be in the group of the workers, and everything that came is processed.
2. The topics get their partitions. From here on workers refuse to start, as their number is not
   the one that the state is of.
3. What is in another task than it belongs to goes there, some thousand records a transaction, until
   a look at all tasks finds nothing to move, and counts what the first look has counted.
4. Inputs that came in the meantime are sent on; what belongs to no key is set.
5. The new number is kept with the state: workers start again.

A record is in its old task or in its new one at every moment, and nothing else is written. The
changes are those of any commit: a local state that is kept somewhere reads them from the changelog.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from confluent_kafka.admin import NewPartitions

from agents.growing.changelogs import Changelogs
from agents.growing.moves import Count, GrowError, Moves, check_cards
from agents.growing.places import COPIED, Growth
from agents.growing.scratch import Scratch
from agents.growing.standing import new_standing
from agents.growing.unread import INPUTS, check_nobody_works, check_read, send_on
from streams.engine.group_member import TaskTopics
from streams.engine.task import BETWEEN_STAGES
from streams.kafka.clients import Clients
from streams.kafka.installation import Installation
from streams.kafka.topics import TIMEOUT_S, answered, partitions_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.settings.schema import Settings
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

_LOOK_EVERY_S: Final = 0.05
_COPIED: Final = {table.name for table in COPIED}


class Growing:
    """Makes the partitions of an installation more.

    Parameters
    ----------
    settings
        Of the installation.
    admin, config
        Client of its cluster, and settings of others.
    topics
        Names of its topics.
    say
        Is told what is done.
    """

    def __init__(
        self,
        settings: Settings,
        admin: Admin,
        config: Config,
        topics: Topics,
        say: Callable[[str], None],
    ) -> None:
        self._admin = admin
        self._topics = topics
        self._say = say
        self._group = settings.group_id
        self._clients = Clients(config)
        self._task_topics = TaskTopics(topics)
        self._installation = Installation(config, topics)
        self._scratch = Scratch(settings, self._clients, topics.changelog)

    def to(self, wanted: int) -> None:
        """Have so many partitions.

        Raises
        ------
        GrowError
            When it cannot be done as things are.
        TopicsError, NotAllowedError
            When the brokers do not answer, or do not allow it.
        """
        found = partitions_found(self._admin, self._topics.of_a_task)
        growth = self._growth(found, wanted)
        if growth is None:
            self._say(f"There are {wanted} partitions, and the state is of as many: all is done.")
            return
        self._check_nobody_works()
        is_begun = max(found.values()) > growth.before
        if not is_begun:
            self._scratch.remove()  # of an earlier try, which is old by now
        self._say(f"Reading the state of {growth.before} tasks into {self._scratch.directory}")
        self._scratch.catch_up(growth.before)
        with self._scratch.views(growth.before) as views:
            sources = BETWEEN_STAGES if is_begun else (*INPUTS, *BETWEEN_STAGES)
            check_read(self._clients, self._task_topics, views, sources)
            check_cards(views, growth)
        self._raise_partitions(found, wanted)
        self._check_nobody_works()
        changelogs = Changelogs(self._clients, self._topics.changelog, f"{self._group}-grow")
        self._move(growth, changelogs)
        with self._scratch.views(growth.after) as views:
            sent = send_on(self._clients, self._task_topics, views, growth, changelogs)
        if sent:
            self._say(f"Sent on {sent:,} inputs that came meanwhile")
            self._scratch.catch_up(growth.after)
        with self._scratch.views(growth.after) as views:
            changelogs.write(new_standing(views, growth))
        self._check_nobody_works()
        self._installation.keep_partitions(wanted)
        self._scratch.remove()
        self._say(f"The state is of {wanted} partitions now: start the workers, then the others.")

    def _growth(self, found: Mapping[str, int], wanted: int) -> Growth | None:
        """Return what is to be done, `None` where all is done."""
        if self._installation.is_restoring:
            raise GrowError("a restore has not ended: type `chargewatch restore` again, then this")
        kept, largest = self._installation.partitions, max(found.values())
        if kept is None:
            raise GrowError(
                "there is no state yet that would have to be moved: no worker has ever run. "
                "Make the topics anew with --partitions, or raise their partitions by hand"
            )
        if kept == wanted == largest == min(found.values()):
            return None
        if wanted <= kept:
            raise GrowError(f"the state is of {kept} partitions: there can only be more of them")
        if largest not in {kept, wanted}:
            raise GrowError(
                f"there are topics of {largest} partitions already: type --grow {largest} first, "
                "which moves the state to them, or goes on with it"
            )
        return Growth(kept, wanted)

    def _check_nobody_works(self) -> None:
        check_nobody_works(self._admin, self._clients, self._group)

    def _raise_partitions(self, found: Mapping[str, int], wanted: int) -> None:
        lacking = [name for name, count in found.items() if count < wanted]
        if not lacking:
            return
        new = [NewPartitions(name, wanted) for name in lacking]
        for name, future in self._admin.create_partitions(new).items():
            answered(self._admin, "Alter", name, future)
        deadline = time.monotonic() + TIMEOUT_S
        while set(partitions_found(self._admin, lacking).values()) != {wanted}:
            if time.monotonic() > deadline:
                raise GrowError("the brokers are slow to make the partitions: type it again")
            time.sleep(_LOOK_EVERY_S)
        self._say(f"{len(lacking)} topics have {wanted} partitions now")

    def _move(self, growth: Growth, changelogs: Changelogs) -> None:
        """Move until a look finds nothing to move."""
        first: Mapping[str, Count] | None = None
        while True:
            self._scratch.catch_up(growth.after)
            with self._scratch.views(growth.after) as views:
                look = Moves(views, growth)
                for changes in look:
                    changelogs.write(changes)
            if first is None:
                first = look.counts
                self._tell(first, growth)
            if not look.changed:
                break
        self._check_nobody_works()
        if other := [name for name, count in look.counts.items() if not count.is_like(first[name])]:
            raise GrowError(
                f"what was counted before and after is not the same in {', '.join(other)}: has a "
                "worker run meanwhile? Stop all workers and type the command again"
            )
        total = sum(count.records for count in first.values())
        self._say(f"Counted again: the same {total:,} records, each byte for byte what it was")

    def _tell(self, counts: Mapping[str, Count], growth: Growth) -> None:
        for name, count in counts.items():
            if count.records or count.astray:
                done = "copied to all tasks that may ask" if name in _COPIED else "moved"
                astray = f", {count.astray:,} left where they are" if count.astray else ""
                self._say(f"  {name}: {count.records:,} records, {count.changed:,} {done}{astray}")
        self._say(f"From {growth.before} tasks to {growth.after}; now everything is read again")

"""A console without Kafka: what it writes is read again by what reads it from Kafka."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import orjson

from agents.evaluation.rule_estimates import MatchedCharges
from agents.evaluation.score_calibration import ToldScores
from agents.learning.model_registry import ModelBook
from agents.policy.book import MerchantsBook, RulesBook
from agents.policy.edits import Signature, change_of, version_before
from agents.policy.list_edits import ListsBook
from agents.policy.proposals import ProposalBook
from agents.settings.schema import Settings
from agents.stages.tasks import terms_of
from agents.web.console.access.guard import Guard
from agents.web.console.access.passwords import hash_password
from agents.web.console.access.sessions import Sessions
from agents.web.console.access.users import UserBook, UserRefusedError
from agents.web.console.app import create_app, create_router
from agents.web.console.backtests import Backtests
from agents.web.console.link import Log
from agents.web.console.pages.rules import DAYS
from agents.web.console.reader import DatabaseReader
from agents.web.console.recorder import Place
from agents.web.console.rendering import Templates
from agents.web.console.server import Console
from agents.web.read_model.building import complete, make_anew
from agents.web.read_model.database import ReadModel, open_engine
from agents.web.read_model.keeping.incoming import Incoming
from agents.web.read_model.keeping.writer import write
from schemas.audit import decode_audit_event
from schemas.changes import Change
from schemas.console_users import ConsoleUser, Role, encode_user
from schemas.lists import list_key
from schemas.merchants import encode_merchant
from schemas.proposals import encode_proposal
from schemas.rules import encode_rules
from streams.kafka.retry import RetryPolicy
from streams.kafka.statistics import ClientStatistics
from streams.kafka.topics import Topics
from tests.agents.web.console.made_backtest import try_on_files
from tests.agents.web.read_model.databases import sqlite_url
from tests.agents.web.read_model.made import MadeMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from agents.policy.proposals import ProposalEdit
    from streams.kafka.editor import Written

PASSWORD = "correct horse battery"
NAMES = Topics()


_hashed = cache(hash_password)
"""A hash takes as long as it should."""


class PolicyInMemory:
    """What merchants decide, edited as on the topics."""

    names = NAMES

    def __init__(self, log: Log) -> None:
        self._proposals = ProposalBook()
        self._rules, self._lists = RulesBook(), ListsBook()
        self._merchants = MerchantsBook(terms_of(Settings()))
        self._log = log

    def rules(self) -> RulesBook:
        return self._rules

    def lists(self) -> ListsBook:
        return self._lists

    def merchants(self) -> MerchantsBook:
        return self._merchants

    def changes(self, kind: str, key: str | None = None) -> list[Change]:
        return [each for each in self._log.changes if each.kind == kind and key in {None, each.key}]

    def edit_rules(self, edit: Callable[[RulesBook], Any]) -> Any:
        made = edit(self._rules)
        self._rules.take(made.merchant.encode(), encode_rules(made))
        self._log.changes.append(change_of("rules", made.merchant, made))
        return made

    def proposals(self) -> ProposalBook:
        return self._proposals

    def edit_proposals(
        self,
        edit: Callable[[ProposalBook, RulesBook], ProposalEdit],
        told: Callable[[ProposalEdit], Written],
    ) -> ProposalEdit:
        made = edit(self._proposals, self._rules)
        self._log.acts.append(decode_audit_event(told(made).value or b""))
        self._proposals.take(made.proposal.id.encode(), encode_proposal(made.proposal))
        if made.rules is not None:
            rules = made.rules
            self.edit_rules(lambda _: rules)
        return made

    def edit_merchants(self, edit: Callable[[MerchantsBook], Any]) -> Any:
        made = edit(self._merchants)
        self._merchants.take(made.merchant.encode(), encode_merchant(made))
        self._log.changes.append(change_of("merchants", made.merchant, made))
        return made

    def edit_lists(self, edit: Callable[[ListsBook], Any]) -> Any:
        made = edit(self._lists)
        for entry in made:
            self._lists.entries[entry.list, entry.value] = entry
            key = list_key(entry.list, entry.value).decode()
            self._log.changes.append(
                Change("lists", key, entry.version, entry.made_from, entry.by, entry.at)
            )
        return made

    def take_off(self, name: str, value: str, _: Signature, made_from: int | None = None) -> bool:
        found = self._lists.entries.get((name, value))
        version_before(found, made_from, value)
        return self._lists.entries.pop((name, value), None) is not None


class UsersInMemory:
    """The topic of users."""

    def __init__(self, book: UserBook) -> None:
        self._book = book

    def put(self, user: Any, _: Signature) -> None:
        self._book.take(user.name.encode(), encode_user(user))

    def remove(self, name: str, _: Signature) -> None:
        if name not in self._book.records:
            raise UserRefusedError(f"{name}: there is no such user")
        self._book.take(name.encode(), None)


class MaturedInMemory:
    """The topic of matured charges."""

    def __init__(self) -> None:
        self._matched, self._told = MatchedCharges(DAYS), ToldScores(DAYS)

    def add(self, charges: Any) -> None:
        self._matched.add(charges)
        self._told.add(charges)

    def matched(self) -> Any:
        return self._matched.latest()

    def told_scores(self) -> Any:
        return self._told.bins()


class VectorsInMemory:
    """What workers keep of scored charges, by their ids."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, float]] = {}

    def find(self, scored: Any) -> dict[str, float] | None:
        return self.kept.get(scored.charge)


class Now:
    """Does a piece of work at once."""

    def __init__(self, topics: Any) -> None:
        self._topics = topics

    async def run(self, work: Callable[[Any], Any]) -> Any:
        return work(self._topics)


@dataclass
class Installation:
    """A console with its users and its charges.

    `now` is of the clock of sessions; `written` has what was written, all transactions in order.
    """

    directory: Path
    is_secure: bool = False
    is_away: bool = False
    issuer: str = ""
    four_eyes: bool = False
    now: float = 1000.0
    written: list[Sequence[Written]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = Settings(
            console_four_eyes=self.four_eyes,
            console_oidc_issuer=self.issuer,
            console_oidc_client_id="console" if self.issuer else "",
            console_oidc_client_secret="between them" if self.issuer else "",
        )
        self.users, self.log, self.models = UserBook(), Log(), ModelBook()
        self.policy = PolicyInMemory(self.log)
        self.matched, self.vectors = MaturedInMemory(), VectorsInMemory()
        self.backtests = Backtests(partial(try_on_files, self.directory, self.settings))
        self._offsets: dict[str, int] = {}
        url = sqlite_url(self.directory)
        self._engine = open_engine(url, is_writer=True)
        with self._engine.begin() as connection:
            make_anew(connection)
            complete(connection)
        self._incoming = Incoming(self.settings, NAMES, None, RetryPolicy())
        self.reader = DatabaseReader(ReadModel(url))
        clients = SimpleNamespace(
            stable_assignment=lambda _: {}, partitions=lambda _: 1, statistics=ClientStatistics()
        )
        self.link = cast(
            "Any",
            SimpleNamespace(
                users=self.users, log=self.log, recorder=self, topics=NAMES, is_away=True,
                clients=clients, admin=None,
            ),
        )  # fmt: skip
        templates = Templates(
            self.settings.input_rules.rates, self.users, has_provider=bool(self.issuer)
        )
        sessions = Sessions(self.users, 3600.0, self.clock)
        self.guard = Guard(sessions, lambda: self.is_away, is_secure=self.is_secure)
        self._console = Console(self.settings, templates, self.guard, self.link, self.reader)
        self._templates = templates

    def clock(self) -> float:
        return self.now

    @property
    def _pages(self) -> Any:
        topic = SimpleNamespace(book=lambda: self.models)
        topics = self.policy, self.matched, topic, self.vectors, UsersInMemory(self.users)
        policy, matured, models, vectors, users = (cast("Any", Now(each)) for each in topics)
        return self._console.pages(
            policy, matured, models, vectors, users, self.backtests, self.clock
        )

    def app(self) -> ASGIApp:
        return create_app(self._pages, self.guard, self._templates, self.clock)

    def routes(self) -> Sequence[Any]:
        return create_router(self._pages, self.guard, self._templates, self.clock).routes

    def add_user(self, name: str, role: Role, password: str = PASSWORD) -> None:
        user = ConsoleUser(name, role, _hashed(password), "root", 1.0)
        self.users.take(name.encode(), encode_user(user))

    async def write(self, records: Sequence[Written]) -> list[Place]:
        """Write records as Kafka would have them, and read them as they are read from it."""
        self.written.append(records)
        return self.put(records)

    def put(
        self,
        records: Sequence[Written],
        headers: list[tuple[str, bytes]] | None = None,
        written_at: float | Sequence[float] | None = None,
    ) -> list[Place]:
        """Put records on their topics: at one time, each at its own, or now."""
        if not isinstance(written_at, Sequence):
            written_at = [time.time() if written_at is None else written_at] * len(records)
        messages, places = [], []
        for each, at in zip(records, written_at, strict=True):
            offset = self._offsets.get(each.topic, 0)
            self._offsets[each.topic] = offset + 1
            places.append(Place(each.topic, 0, offset))
            if each.topic == NAMES.audit:
                self.log.acts.append(decode_audit_event(each.value or b""))
            elif each.topic == NAMES.models:
                self.models.take([(each.key, each.value)])
            elif each.topic in self._incoming.topics:
                messages.append(
                    MadeMessage(each.topic, 0, offset, each.key, each.value, headers, at)
                )
        with self._engine.begin() as connection:
            write(connection, self._incoming.read(cast("Any", messages)))
        return places

    def close(self) -> None:
        self.backtests.close()
        self._engine.dispose()
        self.reader.close()


def scored(charge: str, **changed: object) -> bytes:
    """Return a scored charge that waits for a review."""
    event = {
        "charge": charge, "card": f"card_of_{charge}", "merchant": "shop", "amount": 1999,
        "currency": "usd", "created": time.time() - 600.0, "score": 0.4, "risk": 97,
        "action": "review", "reasons": [{"feature": "amount", "value": 19.99, "text": "much"}],
        "model": "additive-1", "scored_at": time.time(),
    }  # fmt: skip
    return orjson.dumps({**event, **changed})


def charge_of(charge: str, **changed: object) -> bytes:
    """Return the charge that `scored` is of."""
    event = {
        "id": charge, "card": f"card_of_{charge}", "merchant": "shop", "amount": 1999,
        "currency": "usd", "created": time.time() - 600.0,
    }  # fmt: skip
    return orjson.dumps({**event, **changed})

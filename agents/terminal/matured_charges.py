"""Matured charges, as commands and the console read them from their topic."""

from collections.abc import Iterator

from agents.evaluation.metrics import CalibrationBin
from agents.evaluation.rule_estimates import MatchedCharges
from agents.evaluation.score_calibration import ToldScores
from streams.events.rows import Rows
from streams.kafka.clients import Clients
from streams.kafka.installation import KeptLayouts
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics
from streams.layouts.reader import Reader
from streams.wire.matured import MATURED_LAYOUT, decode_matured


class MaturedReader:
    """Reads the topic to its end, and later only what has come since.

    Parameters
    ----------
    clients, topics
        Of the installation.
    """

    def __init__(self, clients: Clients, topics: Topics) -> None:
        self._layouts = Reader(MATURED_LAYOUT, KeptLayouts(clients, topics.installation))
        self._reader = PartitionReader(clients, topics.matured, 0)

    def new(self) -> Iterator[Rows]:
        """Yield what has come since it was last read, MATURED_CHARGE[N]."""
        for messages in self._reader.read_to_end():
            yield decode_matured([message.value() or b"" for message in messages], self._layouts)

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()


def read_matured(clients: Clients, topics: Topics) -> Iterator[Rows]:
    """Yield all that there are now, MATURED_CHARGE[N]."""
    reader = MaturedReader(clients, topics)
    yield from reader.new()
    reader.close()


class MaturedTopic:
    """What is asked of the matured charges of the latest days: of one thread at a time.

    Parameters
    ----------
    clients, topics
        Of the installation.
    days
        How many.
    """

    def __init__(self, clients: Clients, topics: Topics, days: int) -> None:
        self.clients = clients
        self._topics = topics
        self._matched = MatchedCharges(days)
        self._told = ToldScores(days)
        self._reader: MaturedReader | None = None

    def matched(self) -> Rows:
        """Return those that rules matched, as they are now, MATURED_CHARGE[N]."""
        self._read()
        return self._matched.latest()

    def told_scores(self) -> list[CalibrationBin]:
        """Return how the scores that they were told compare with what was seen of them."""
        self._read()
        return self._told.bins()

    def close(self) -> None:
        """Disconnect."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self) -> None:
        if self._reader is None:
            self._reader = MaturedReader(self.clients, self._topics)
        for charges in self._reader.new():
            self._matched.add(charges)
            self._told.add(charges)

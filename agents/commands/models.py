"""`chargewatch models`: lists the models, decides which of them scores, and tells how well."""

from collections.abc import Callable
from pathlib import Path

import click

from agents.evaluation.estimate_table import estimate_lines
from agents.evaluation.matured_sums import MaturedCharges
from agents.learning import promotion as championship
from agents.learning.model_registry import ModelBook, as_loaded
from agents.learning.model_table import model_lines
from agents.learning.promotion import DecisionError
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.matured_charges import read_matured
from agents.terminal.model_files import read_model, write_model
from agents.terminal.model_topic import ModelTopic
from agents.terminal.options import with_settings
from schemas.control import CHAMPION_KEY, Champion, encode_control, loaded_key
from schemas.printable import printable
from streams.kafka.clients import Clients
from streams.kafka.topics import Topics

_FILE = click.Path(path_type=Path, dir_okay=False)
_with_settings = with_settings("bootstrap_servers", "topic_prefix")


class ListByDefault(click.Group):
    """Takes `list` for the command when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before options of its own."""
        is_named = args and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_named else ["list", *args])


@click.group("models", cls=ListByDefault, epilog="Example: chargewatch models promote linear")
def command() -> None:
    """List the models, and decide which of them scores; workers act on it at once.

    The champion scores. Challengers (the setting of that name) learn from the same examples, and
    score in shadow: their scores are told beside in the scored events.
    """


@command.command("list", epilog="Example: chargewatch models")
@_with_settings
def show(settings: Settings) -> None:
    """List the models with how well they have scored the latest examples (the default).

    Every example is scored before it is learned. Metrics look back over some 20,000 examples that
    count: 50 frauds before they say much.
    """
    for line in model_lines(ModelTopic(settings).book()):
        click.echo(printable(line))


@command.command(epilog="Example: chargewatch models promote linear")
@click.argument("name")
@_with_settings
def promote(settings: Settings, name: str) -> None:
    """Let another model score."""
    _decide(settings, lambda book: championship.promote(book, name))


@command.command(epilog="Example: chargewatch models rollback")
@_with_settings
def rollback(settings: Settings) -> None:
    """Let the previous champion score, frozen as it was when it was replaced.

    Its learner goes on: `chargewatch models unfreeze` has its newest snapshot score. A second
    rollback undoes the first.
    """
    _decide(settings, championship.roll_back)


@command.command(epilog="Example: chargewatch models freeze")
@_with_settings
def freeze(settings: Settings) -> None:
    """Keep the snapshot that scores now; the learner goes on learning."""
    _decide(settings, championship.freeze)


@command.command(epilog="Example: chargewatch models unfreeze")
@_with_settings
def unfreeze(settings: Settings) -> None:
    """Let the champion's newest snapshot score again."""
    _decide(settings, championship.unfreeze)


@command.command(epilog="Example: chargewatch models save model.json")
@click.argument("file", type=_FILE)
@_with_settings
def save(settings: Settings, file: Path) -> None:
    """Write the model that scores now to a file."""
    snapshot = ModelTopic(settings).book().scoring()
    if snapshot is None:
        raise DecisionError("the prior scores: there is no model to save yet")
    write_model(file, snapshot)
    click.echo(f"{snapshot.version} saved to {file}")


@command.command(epilog="Example: chargewatch models load model.json")
@click.argument("file", type=_FILE)
@_with_settings
def load(settings: Settings, file: Path) -> None:
    """Let a model go on from that of a file, in place of what it has learned so far.

    The file is of `chargewatch backtest --save-model` or `chargewatch models save`. The learner
    goes on with the next example; workers score with it at once.
    """
    topic = ModelTopic(settings)
    book, loaded = topic.book(), championship.load(read_model(file))
    topic.write(loaded_key(loaded.snapshot.name), loaded)
    click.echo(f"{loaded.snapshot.name}: goes on from {as_loaded(loaded, 0).version}")
    champion = book.champion
    if champion.name == loaded.snapshot.name and champion.frozen is not None:
        click.echo("The champion is frozen: `chargewatch models unfreeze` lets this one score.")


@command.command(epilog="Example: chargewatch models estimates --days 14")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Days of charges to look at, the latest whose label horizon has passed",
)
@_with_settings
def estimates(settings: Settings, days: int) -> None:
    """Estimate how good the actions are, while they are carried out.

    Precision and recall of what the model chose to stop, and of all that scores at least a
    threshold: from what went through, and from the holdout, which stands for the rest. Charges
    count when their label horizon has passed.
    """
    topics = Topics(settings.topic_prefix)
    _, config = connect(settings, topics.matured)
    matured = MaturedCharges()
    for charges in read_matured(Clients(config), topics):
        matured.add(charges)
    for line in estimate_lines(matured, days):
        click.echo(line)


def _decide(settings: Settings, decide: Callable[[ModelBook], Champion]) -> None:
    """Make a decision on what is there, publish it, and tell what scores now."""
    topic = ModelTopic(settings)
    book = topic.book()
    champion = decide(book)
    topic.write(CHAMPION_KEY, champion)
    book.take([(CHAMPION_KEY, encode_control(champion))])  # reading it waits for open transactions
    click.echo(_told(book))


def _told(book: ModelBook) -> str:
    snapshot = book.scoring()
    version = "the prior" if snapshot is None else snapshot.version
    how = "frozen at" if book.champion.frozen else "now at"
    return f"{book.champion.name} scores, {how} {version}"

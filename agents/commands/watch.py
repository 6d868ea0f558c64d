"""`chargewatch watch`: follows the scored charges in the terminal."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import click
import orjson

from agents.evaluation.formatting import COLOURS, money
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from agents.terminal.scored_values import ScoredValues
from schemas.currency import Rates
from schemas.printable import printable, printable_json
from schemas.scored import ACTIONS
from streams.kafka.subscriber import Subscriber
from streams.kafka.topics import Topics

_WAIT_S = 0.5


@click.command("watch", epilog="Example: chargewatch watch --action block --action review")
@click.option(
    "--action",
    "actions",
    type=click.Choice(ACTIONS),
    multiple=True,
    help="Only charges with this action; may be repeated",
)
@click.option("--json", "as_json", is_flag=True, help="The scored events in full, one a line")
@click.option("--from-beginning", is_flag=True, help="Also those scored before now")
@with_settings("bootstrap_servers", "topic_prefix")
def command(
    settings: Settings, actions: tuple[str, ...], *, as_json: bool, from_beginning: bool
) -> None:
    """Follow the scored charges, a line each, until Ctrl-C; then sum them up."""
    scored = Topics(settings.topic_prefix).scored
    _, config = connect(settings, scored)
    rates = settings.input_rules.rates
    scored_values = ScoredValues(settings)
    counts: Counter[str] = Counter()
    began = time.monotonic()
    try:
        with Subscriber(config, [scored], from_beginning=from_beginning) as subscriber:
            while True:
                values = [message.value() or b"" for message in subscriber.read(_WAIT_S)]
                for value in scored_values.as_json(values):
                    event = orjson.loads(value)
                    counts[event["action"]] += 1
                    if not actions or event["action"] in actions:
                        click.echo(printable_json(value) if as_json else line(event, rates))
    except KeyboardInterrupt:
        click.echo(summary(counts, time.monotonic() - began), err=True)


def line(event: dict[str, Any], rates: Rates) -> str:
    """Return a scored event as a line with colours.

    >>> from schemas.currency import bundled_rates
    >>> event = {"created": 0.5, "action": "block", "score": 0.93, "amount": 1999,
    ...          "currency": "usd", "card": "card_1", "merchant": "acct_2",
    ...          "reasons": [{"text": "first time at this merchant"}, {"text": "3 cards"}]}
    >>> click.unstyle(line(event, bundled_rates()))
    '1970-01-01 00:00:00 block     0.930      19.99 USD card_1 acct_2 first time at this merchant, \
3 cards'
    >>> drawn = event | {"action": "allow", "holdout": {"action": "block", "propensity": 0.02}}
    >>> click.unstyle(line(drawn | {"reasons": []}, bundled_rates()))[58:]
    'acct_2 (let through for the holdout; else block) '
    """
    created = datetime.fromtimestamp(event["created"], UTC)
    action = click.style(f"{event['action']:9}", fg=COLOURS[event["action"]], bold=True)
    texts = ", ".join(reason["text"] for reason in event["reasons"])
    reasons = click.style(printable(texts), dim=True)
    again = " (duplicate)" if event.get("duplicate") else ""
    if holdout := event.get("holdout"):
        again += f" (let through for the holdout; else {holdout['action']})"
    return (
        f"{created:%Y-%m-%d %H:%M:%S} {action} {event['score']:.3f} {money(event, rates)} "
        f"{printable(event['card'])} {printable(event['merchant'])}{again} {reasons}"
    )


def summary(counts: Counter[str], seconds: float) -> str:
    """Sum up what was seen.

    >>> summary(Counter(allow=8, block=2), 5.0)
    '10 charges in 5 s: 8 allow, 0 challenge, 0 review, 2 block'
    """
    each = ", ".join(f"{counts[action]:,} {action}" for action in ACTIONS)
    return f"{counts.total():,} charges in {seconds:.0f} s: {each}"

"""The job with Quix Streams: `group_by`, and the windows of a key in its state.

Its window functions give one window each and drop the charge; its documentation's stateful
functions give all windows of a charge at once, and are faster.
"""

import os
from typing import Any

from quixstreams import (  # type: ignore[import-not-found] # in an environment of its own
    Application,
    State,
)

from tests.bench.contestants.learning import Learning, features
from tests.bench.contestants.windows import count

learning = Learning()


def count_in(state: State, created: float) -> list[int]:
    """Count a charge in the windows of its key, and return the counts."""
    windows, counts = count(state.get("windows"), created)
    state.set("windows", windows)
    return counts


def count_card(charge: dict[str, Any], state: State) -> dict[str, Any]:
    """Add the counts of the card."""
    return {**charge, "counts": count_in(state, charge["created"])}


def score(charge: dict[str, Any], state: State) -> dict[str, Any]:
    """Count the charge at its merchant, and score it."""
    counts = count_in(state, charge["created"])
    named = features(charge["amount"], charge["counts"], counts)
    return {
        "charge": charge["id"],
        "card": charge["card"],
        "merchant": charge["merchant"],
        "amount": charge["amount"],
        "created": charge["created"],
        "score": learning.score(charge["id"], named),
    }


def learn(dispute: dict[str, Any]) -> None:
    """Learn from a fraud."""
    if dispute["reason"] == "fraudulent":
        learning.learn_fraud(dispute["charge"])


def main() -> None:
    """Run until the process is ended.

    What `group_by` sends on is seen with the next commit, so that five seconds, the default, would
    be five of waiting at the end of a measurement.
    """
    prefix = os.environ["BENCH_PREFIX"]
    app = Application(
        broker_address=os.environ["BENCH_SERVERS"],
        consumer_group=f"{prefix}quix",
        auto_offset_reset="earliest",
        commit_interval=1.0,
        state_dir=os.environ["BENCH_STATE"],
        processing_guarantee=os.environ["BENCH_GUARANTEE"].replace("_", "-"),
    )
    charges = app.dataframe(app.topic(f"{prefix}charges", key_deserializer="str"))
    charges = charges.apply(count_card, stateful=True)
    charges = charges.group_by("merchant", key_serializer="str", key_deserializer="str")
    charges = charges.apply(score, stateful=True)
    charges.to_topic(
        app.topic(f"{prefix}scored", key_serializer="str"), key=lambda value: value["card"]
    )
    disputes = app.dataframe(app.topic(f"{prefix}disputes", key_deserializer="str"))
    disputes.update(learn)
    app.run()


if __name__ == "__main__":
    main()

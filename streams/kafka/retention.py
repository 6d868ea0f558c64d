"""How long charges, disputes and outcomes are kept: they can be processed again.

For a label to be learned then, its charge has to be there as well.
"""

import math
from collections.abc import Mapping

DAY_MS = 24 * 3600 * 1000
LABEL_HORIZON_DAYS = 30.0
_UNLIMITED = -1


def horizon_ms(label_horizon_days: float) -> int:
    """Return the retention that a topic of inputs needs at least.

    >>> horizon_ms(30.0)
    2592000000
    """
    return math.ceil(label_horizon_days * DAY_MS)


def loss(name: str, config: Mapping[str, str], label_horizon_days: float) -> str:
    """Say what a topic of inputs loses by its settings before its labels are there, if anything.

    Examples
    --------
    >>> kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    >>> loss("charges", kept, 30.0)
    ''
    >>> loss("charges", kept | {"cleanup.policy": "compact"}, 30.0)
    'cleanup.policy=compact keeps only the newest event of a card; kafka-configs.sh \
--bootstrap-server $KAFKA_BOOTSTRAP_SERVERS --alter --entity-type topics --entity-name charges \
--add-config cleanup.policy=delete'
    """
    needed_ms, retention_ms = horizon_ms(label_horizon_days), int(config["retention.ms"])
    losses, cures = [], []
    if "compact" in config["cleanup.policy"].split(","):
        policy = config["cleanup.policy"]
        losses.append(f"cleanup.policy={policy} keeps only the newest event of a card")
        cures.append("cleanup.policy=delete")
    if _UNLIMITED < retention_ms < needed_ms:
        losses.append(
            f"retention.ms={retention_ms} is less than the label horizon of "
            f"{label_horizon_days:g} days (label_horizon_days)"
        )
        cures.append(f"retention.ms={needed_ms}")
    if (size := int(config["retention.bytes"])) > _UNLIMITED:
        losses.append(f"retention.bytes={size} may delete events before the label horizon")
        cures.append("retention.bytes=-1")
    if not losses:
        return ""
    return (
        f"{', '.join(losses)}; kafka-configs.sh --bootstrap-server $KAFKA_BOOTSTRAP_SERVERS "
        f"--alter --entity-type topics --entity-name {name} --add-config {','.join(cures)}"
    )

"""What signals of a producer's own gain: the default model without them, with some, with all."""

from __future__ import annotations

import tempfile
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from agents.models.kinds import DEFAULT
from streams.durations import DAY_S
from streams.features.signals import features_with
from tests.quality.contestants import Registered
from tests.quality.findings import Findings, Table
from tests.quality.measures import Period, quality
from tests.quality.prequential import run
from tests.quality.recording import record
from tests.quality.signal_stream import BEGAN, CATEGORIES, NUMBERS, SignalStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schemas.signals import Signal

HORIZON_DAYS = 30.0
_FROM = 0.6
_SIGNALS = (*NUMBERS, *CATEGORIES)
_KNOWN: dict[str, Sequence[Signal]] = {
    "no signals": (),
    "numbers": NUMBERS,
    "categories": CATEGORIES,
    "both": _SIGNALS,
}


def signal_gains(streams: Sequence[SignalStream], say: Callable[[str], object]) -> Findings:
    """Record streams once each, with all signals, and run the default model with parts of them."""
    rows, numbers = [], {}
    for stream in streams:
        say(f"signals, seed {stream.seed}: the stages")
        with tempfile.TemporaryDirectory(prefix="chargewatch-quality-") as directory:
            files = stream.write(Path(directory))
            recording = record(files.charges, files.disputes, HORIZON_DAYS, _SIGNALS)
        start = BEGAN + _FROM * stream.days * DAY_S
        for name, known in _KNOWN.items():
            say(f"signals, seed {stream.seed}: {name}")
            candidate = Registered(DEFAULT, features_with(known), features_with(_SIGNALS))
            scores = run(candidate, recording, start)
            found = quality(scores.charges, recording, Period("all", start, inf))
            numbers[f"seed {stream.seed}, {name}"] = {
                "average_precision": found.average_precision,
                "auc_roc": found.auc_roc,
            }
            rows.append([
                str(stream.seed), name, f"{found.average_precision:.3f}", f"{found.auc_roc:.3f}",
                f"{100.0 * found.calibration_error:.3f}", f"{found.top_decile:.2f}",
                f"{scores.learn_us:,.0f}", f"{scores.score_us:,.1f}",
            ])  # fmt: skip
    about = f"`{DEFAULT}` on streams whose frauds are told by signals alone, horizon 30 days."
    columns = (
        "seed", "it knows", "AP", "AUC", "ECE, pp", "top decile, predicted/observed",
        "to learn an example, µs", "to score a charge, µs",
    )  # fmt: skip
    return Findings("signals", (about,), [Table("Signals", columns, rows)], numbers)

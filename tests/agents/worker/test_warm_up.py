"""The rehearsal of a worker: after it nothing is compiled any more."""

import subprocess
import sys

AFTER_A_REHEARSAL = """
import sys
from numba.core.registry import CPUDispatcher
from agents.worker.warm_up import rehearse
from tests.simulation.faults import Coverage
from tests.simulation.real_stages import SETTINGS, separate_metrics
from tests.simulation.simulation import Simulation, Variant

def compiled():
    return {
        (kernel.py_func.__module__, kernel.py_func.__name__, str(signature))
        for name, module in list(sys.modules.items())
        if name.startswith(("streams.", "agents."))
        for kernel in vars(module).values()
        if isinstance(kernel, CPUDispatcher)
        for signature in kernel.signatures
    }

rehearse(SETTINGS)
before = compiled()
with separate_metrics():
    Simulation(0, Variant(is_real=True), Coverage()).run()
{also}
print(len(before), sorted(compiled() - before))
"""
WHAT_IS_STOPPED = """
import msgspec
import numpy as np
from agents.models.prior import PriorScorer
from agents.stages.in_memory import TaskInMemory
from agents.worker.warm_up import _charge, _events
from streams.events.decoding import decode_charges
from streams.features.entities import FEATURES

class Certain(PriorScorer):
    def predict(self, vectors):
        return np.ones(len(vectors))

task = TaskInMemory(msgspec.structs.replace(SETTINGS, holdout_share=0.5), lambda: 0.0)
charges = _events(decode_charges, *(_charge(f"c{number}", float(number)) for number in range(40)))
answers = np.concatenate(
    [task.score(counted, Certain(FEATURES)).answers for counted in task.count(charges)]
)
drawn = answers["propensity"] > 0
assert 0 < drawn.sum() < (answers["action"] > 0).sum() + drawn.sum()
"""


def test_a_pipeline_uses_no_kernel_that_was_not_rehearsed() -> None:
    """Nor does one whose charges are stopped, and drawn for the holdout."""
    script = [sys.executable, "-c", AFTER_A_REHEARSAL.replace("{also}", WHAT_IS_STOPPED)]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    rehearsed, _, others = done.stdout.partition(" ")
    assert int(rehearsed) > 10
    assert others.strip() == "[]"


def test_it_loads_no_linear_algebra() -> None:
    """Which numba would load with the first kernel, and no kernel uses."""
    script = (
        "import sys; from agents.settings.schema import Settings; "
        "from agents.worker.warm_up import rehearse; rehearse(Settings()); "
        "print('numba.np.arraymath' in sys.modules, 'scipy.linalg' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "False"]

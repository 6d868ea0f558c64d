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
print(len(before), sorted(compiled() - before))
"""


def test_a_pipeline_uses_no_kernel_that_was_not_rehearsed() -> None:
    script = [sys.executable, "-c", AFTER_A_REHEARSAL]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    rehearsed, _, others = done.stdout.partition(" ")
    assert int(rehearsed) > 10
    assert others.strip() == "[]"

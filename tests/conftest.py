"""What holds for all tests."""

import os
import signal

from hypothesis import HealthCheck, settings

from tests.integration.broker_classes import java_options

# A busy machine is no failure. What a failing example was is printed so that it can be repeated.
settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("busy")

# A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("JDK_JAVA_OPTIONS", java_options())

"""Compile all kernels, as part of building the image: `python -m deploy.image.kernels`."""

from agents.models.kinds import DEFAULT, KINDS
from agents.settings.schema import Settings
from agents.worker.warm_up import rehearse

# A rehearsal with all that can be set; the registry is not asked for anything.
rehearse(
    Settings(
        challengers=tuple(kind for kind in KINDS if kind != DEFAULT),
        schema_registry_url="http://registry.invalid",
    )
)

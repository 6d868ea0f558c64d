"""Compile all kernels, as part of building the image: `python -m deploy.image.kernels`."""

from agents.models.kinds import DEFAULT, KINDS
from agents.settings.schema import Settings
from agents.worker.warm_up import rehearse


def compile_all() -> None:
    """Rehearse with whatever can be set; nothing asks the registry."""
    others = tuple(kind for kind in KINDS if kind != DEFAULT)
    rehearse(Settings(challengers=others, schema_registry_url="http://registry.invalid"))


if __name__ == "__main__":
    compile_all()

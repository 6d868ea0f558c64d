"""The verbs of the console command, each in a module of its own that is imported when it is run."""

from importlib import import_module

import click

VERBS = {
    "demo": "Run everything on this machine and show it live.",
    "worker": "Run one worker; as many as there are partitions may run.",
    "topics": "Create the topics, or check them.",
    "simulate": "Make charges and disputes, to Kafka or to files.",
    "publish": "Publish a file of charges, disputes or outcomes to its topic.",
    "map": "Propose and check mappings of the columns of files.",
    "backtest": "Score and learn over files, without Kafka, and print the metrics.",
    "watch": "Follow the scored charges.",
    "models": "List the models, and decide which of them scores.",
    "rules": "Write rules that decide beside the model.",
    "lists": "Keep the lists that rules ask for.",
    "merchants": "Set what a merchant's charges cost, and how they are decided.",
    "serve": "Serve the HTTP API: charges in, answers out.",
    "read-model": "Keep the console's read model up to date, or build it again.",
    "keys": "Give and take keys of the HTTP API.",
    "console": "Serve the analysts' console.",
    "users": "Say who may use the console.",
    "acls": "Print the commands that give each part its rights on Kafka.",
    "state": "Show the local state, or check that it can be gone on from.",
    "backup": "Write an installation to files.",
    "restore": "Put a backup into an empty installation.",
    "support": "Write what is asked for when something is wrong to one file.",
}


class LazyGroup(click.Group):
    """Knows the verbs without importing them, so that the help is there at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(_module_of(cmd_name)).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the verbs into the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _module_of(verb: str) -> str:
    return f"agents.commands.{verb.replace('-', '_')}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chargewatch")
def chargewatch() -> None:
    """Detect fraud in a stream of charges on Apache Kafka.

    `chargewatch demo` shows it on this machine. Each command has a --help with an example.
    """

"""The console command `chargewatch`."""

from agents.commands import chargewatch


def main() -> None:
    """Run the command that the arguments name."""
    chargewatch(prog_name="chargewatch")


if __name__ == "__main__":
    main()

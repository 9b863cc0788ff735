"""The program: ``runreel`` and ``python -m runreel``."""

import sys

from runreel.system.standard_input import start_early


def run() -> None:
    """Run the command line and exit."""
    start_early(sys.argv[1:])
    # What takes time to import comes after that.
    from runreel.cli.main import run as run_commands

    run_commands()


if __name__ == "__main__":
    run()

"""Entry point of ``runreel`` and ``python -m runreel``."""

import sys

from runreel.system.garbage import collect_less_often
from runreel.system.standard_input import start_early


def run() -> None:
    """Run the command line and exit."""
    collect_less_often()
    start_early(sys.argv[1:])
    # Slow imports come after the pipe is being read.
    from runreel.cli.main import run as run_commands

    run_commands()


if __name__ == "__main__":
    run()

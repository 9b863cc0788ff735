"""Entry point of ``runreel`` and ``python -m runreel``."""

import gc
import sys

from runreel.system.standard_input import start_early


def run() -> None:
    """Run the command line and exit."""
    # The collector looks for reference cycles, of which commands make few: looking for them as
    # often as usual takes a tenth of the time of long ones.
    gc.set_threshold(20_000, 20, 20)
    start_early(sys.argv[1:])
    # Slow imports come after the pipe is being read.
    from runreel.cli.main import run as run_commands

    run_commands()


if __name__ == "__main__":
    run()

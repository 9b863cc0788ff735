"""What takes too long for the suite, run by hand: ``python -m tests.soak SCENARIO...``.

A scenario is a module of this package with ``ROUNDS``, how many of them for each kind of database
that it is for, and ``run(url, rounds)``, which answers the counts that it saw and fails where one
is wrong.
"""

from __future__ import annotations

SCENARIOS = ("kill", "power", "disk", "cuts", "flips", "terminal", "fork", "stalls")

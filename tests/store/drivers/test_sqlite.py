"""What only the driver of SQLite does: it notices that its file was replaced."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runreel.model.errors import DatabaseUnavailable
from runreel.store.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def use(pool: Pool) -> None:
    with closing(pool.connect()) as connection:
        connection.one("SELECT count(*) FROM runs")


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_replaced_file_is_not_used(
    pool: Pool, db_url: str, change: Callable[[Path], object]
) -> None:
    path = Path(db_url)
    use(pool)
    path.rename(path.with_suffix(".old"))
    path.touch()
    change(path)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="while it was open"):
            use(pool)
    path.unlink(missing_ok=True)
    path.with_suffix(".old").rename(path)
    use(pool)


def test_a_fresh_driver_accepts_another_file(pool: Pool, db_url: str) -> None:
    path = Path(db_url)
    use(pool)
    pool.dispose()
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    with pytest.raises(DatabaseUnavailable, match="replaced"):
        use(pool)
    other = Pool(pool.driver.fresh())
    use(other)
    other.dispose()

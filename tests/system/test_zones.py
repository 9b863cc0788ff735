"""Time zones by name, and the machine's own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from runreel.model.errors import UsageError
from runreel.system import zones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A machine whose zone may be set."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("Europe/Moscow", "Europe/Moscow"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("UTC", "UTC"),
        ("", "UTC"),
        ("MSK-3", "+03:00"),
        ("XYZ+3:30", "-03:30"),
    ],
)
def test_the_machine_s_zone_has_a_name_that_is_a_zone(
    variable: str, name: str, machine: pytest.MonkeyPatch
) -> None:
    machine.setenv("TZ", variable)
    time.tzset()
    place, own = zones.zone(None)
    assert (place, own) == (None, name)
    named, _ = zones.zone(own)
    moment = datetime(2026, 7, 1, tzinfo=UTC)
    assert moment.astimezone(named).utcoffset() == moment.astimezone().utcoffset()


def test_without_a_variable_the_system_s_files_name_the_zone(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.delenv("TZ", raising=False)
    link, file = tmp_path / "localtime", tmp_path / "timezone"
    machine.setattr(zones, "_LOCALTIME", link)
    machine.setattr(zones, "_TIMEZONE", file)
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert zones.local_name() == "Europe/Berlin"
    link.unlink()
    file.write_text("Asia/Tokyo\n", encoding="ascii")
    assert zones.local_name() == "Asia/Tokyo"
    file.write_text("Mars/Phobos\n", encoding="ascii")
    assert zones.zone(zones.local_name())[0] is not None


def test_a_zone_may_be_an_offset() -> None:
    for name, offset in {"+03:00": 3, "-0330": -3.5, "UTC+3": 3, "utc-1": -1, "+14": 14}.items():
        place, given = zones.zone(name)
        assert given == name
        assert datetime(2026, 1, 1, tzinfo=place).utcoffset() == timedelta(hours=offset)


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "../etc/passwd", "/etc/passwd", "\0", "Europe", "x" * 300, "+99"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="invalid time zone") as caught:
        zones.zone(name)
    assert "Europe/Moscow" in (caught.value.hint or "")


def test_a_time_zone_is_known_by_its_name() -> None:
    tz, name = zones.zone("Europe/Moscow")
    assert (tz, name) == (ZoneInfo("Europe/Moscow"), "Europe/Moscow")

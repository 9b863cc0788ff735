from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec

from runreel.audit import signing
from runreel.model.errors import BadKey, MissingExtra, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_for_its_owner_and_its_public_one_for_all(tmp_path: Path) -> None:
    place = tmp_path / "audit.key"
    public = signing.generate(place)
    assert place.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert (mode(place), mode(signing.public_path(place)) & 0o600) == (0o600, 0o600)
    assert not signing.is_exposed(place)
    key = signing.load(place)
    assert key.public.id == public.id == signing.load_public(tmp_path / "audit.key.pub").id
    assert len(public.id) == 32
    signature = key.sign(b"text")
    assert public.verify(signature, b"text")
    assert not public.verify(signature, b"Text")
    assert not public.verify(signature[:-1], b"text")
    place.chmod(0o640)
    assert signing.is_exposed(place)


def test_no_key_is_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "audit.key"
    signing.generate(place)
    before = place.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        signing.generate(place)
    assert place.read_bytes() == before
    place.unlink()
    with pytest.raises(UsageError, match="already exists"):
        signing.generate(place)
    assert not place.exists()
    with pytest.raises(UsageError, match="cannot use"):
        signing.generate(tmp_path / "nowhere" / "audit.key")


def test_a_passphrase_locks_a_key(tmp_path: Path) -> None:
    place = tmp_path / "audit.key"
    public = signing.generate(place, "слово".encode())
    assert b"ENCRYPTED" in place.read_bytes()
    assert signing.load(place, "слово".encode).public.id == public.id
    for asked in (None, lambda: None):
        with pytest.raises(BadKey, match="has a passphrase"):
            signing.load(place, asked)
    for wrong in (b"", b"word", b"x" * 5000):
        with pytest.raises(BadKey):
            signing.load(place, lambda wrong=wrong: wrong)
    for impossible in (b"", b"x" * 1001):
        with pytest.raises(BadKey, match="invalid passphrase"):
            signing.generate(tmp_path / "other.key", impossible)
    assert not (tmp_path / "other.key").exists()


def test_a_key_without_a_passphrase_asks_for_none(tmp_path: Path) -> None:
    signing.generate(tmp_path / "audit.key")

    def asked() -> bytes:
        raise AssertionError

    signing.load(tmp_path / "audit.key", asked)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "audit.key"
    signing.generate(place)
    with pytest.raises(BadKey, match="is a private key"):
        signing.load_public(place)
    with pytest.raises(BadKey, match="is not a private key"):
        signing.load(tmp_path / "audit.key.pub")
    other = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = forms.Encoding.PEM, forms.PrivateFormat.PKCS8
    (tmp_path / "ec").write_bytes(other.private_bytes(pem, pkcs8, forms.NoEncryption()))
    (tmp_path / "ec.pub").write_bytes(
        other.public_key().public_bytes(pem, forms.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(BadKey, match="is not an ed25519 key"):
        signing.load(tmp_path / "ec")
    with pytest.raises(BadKey, match="is not an ed25519 key"):
        signing.load_public(tmp_path / "ec.pub")
    for data in (
        b"",
        b"\x00" * 100,
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ):
        (tmp_path / "junk").write_bytes(data)
        for load in (signing.load, signing.load_public):
            with pytest.raises(BadKey):
                load(tmp_path / "junk")
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BadKey, match="cannot read"):
            signing.load_public(path)


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for call in (signing.generate, signing.load, signing.load_public):
        with pytest.raises(MissingExtra) as caught:
            call(tmp_path / "audit.key")
        assert caught.value.hint == "pip install 'runreel[audit]'"

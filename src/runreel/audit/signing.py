"""The keys that sign checkpoints: ed25519, in files, by the package ``cryptography``."""

from __future__ import annotations

import stat
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from runreel.model.errors import BadKey, MissingExtra, UsageError
from runreel.system import atomic_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    Passphrase = Callable[[], bytes | None]

_ID_DIGITS = 32
_MAX_FILE = 100_000
_MAX_PASSPHRASE = 1000


class PublicKey:
    """What tells whether a signature is of a key; ``raw`` is its 32 bytes."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        """The beginning of its SHA-256, in hexadecimal digits: how people name it."""
        return sha256(self.raw).hexdigest()[:_ID_DIGITS]

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the key signed exactly this.

        Raises:
            MissingExtra: if the package ``cryptography`` is not installed.
        """
        _need_library()
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A private key, and its ``public`` one."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature: 64 bytes."""
        return self._key.sign(message)


def generate(path: Path, passphrase: bytes | None = None) -> PublicKey:
    """Make a key: the private one at ``path``, for its owner's eyes, the public one at ``.pub``.

    Raises:
        MissingExtra: if the package ``cryptography`` is not installed.
        BadKey: if the passphrase cannot be one.
        UsageError: if one of the files is there already, or cannot be made.
    """
    _need_library()
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    locked: forms.KeySerializationEncryption = forms.NoEncryption()
    if passphrase is not None:
        _check_passphrase(passphrase)
        locked = forms.BestAvailableEncryption(passphrase)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, locked)
    public = key.public_key().public_bytes(
        forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo
    )
    atomic_files.refuse_existing(public_path(path))
    atomic_files.create(path, private)
    try:
        atomic_files.create(public_path(path), public, mode=0o644)
    except UsageError:
        path.unlink()
        raise
    return SigningKey(key).public


def public_path(path: Path) -> Path:
    """Where the public key of a private one is put."""
    return path.with_name(path.name + ".pub")


def load(path: Path, passphrase: Passphrase | None = None) -> SigningKey:
    """The private key in a file; ``passphrase`` is asked for one if the file needs it.

    Raises:
        MissingExtra: if the package ``cryptography`` is not installed.
        BadKey: if there is none, or the passphrase is wrong or missing.
    """
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read(path)
    key = _opened(path, data, None)
    if key is None:
        told = None if passphrase is None else passphrase()
        if told is None:
            raise BadKey(f"the key {path} has a passphrase", hint=_HOW)
        key = _opened(path, data, told)
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path} holds a key of another kind than ed25519")
    return SigningKey(key)


def load_public(path: Path) -> PublicKey:
    """The public key in a file.

    Raises:
        MissingExtra: if the package ``cryptography`` is not installed.
        BadKey: if there is none.
    """
    _need_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise BadKey(
            f"{path} holds a private key",
            hint="Give its public one, FILE.pub; the private one stays where it signs.",
        )
    try:
        key = forms.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(f"{path} holds no public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path} holds a key of another kind than ed25519")
    return PublicKey(key.public_bytes_raw())


def is_exposed(path: Path) -> bool:
    """Whether others than its owner may read the file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


_HOW = "Put it in a file (--passphrase-file) or in RUNREEL_KEY_PASSPHRASE."


def _opened(path: Path, data: bytes, passphrase: bytes | None) -> Any:
    """The key in the file; None if it needs a passphrase and there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms

    try:
        return forms.load_pem_private_key(data, passphrase)
    except TypeError:
        return None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None:
            raise BadKey(f"this is not the passphrase of the key {path}") from None
        raise BadKey(f"{path} holds no private key") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE)
    except OSError as error:
        raise BadKey(f"cannot read the key {path}: {error.strerror}") from error


def _check_passphrase(passphrase: bytes) -> None:
    if not 0 < len(passphrase) <= _MAX_PASSPHRASE:
        raise BadKey(f"a passphrase has 1 to {_MAX_PASSPHRASE} bytes")


def _need_library() -> None:
    try:
        import cryptography  # noqa: F401 - only to see that it is there
    except ImportError:
        raise MissingExtra(
            "keys and signatures need the package cryptography",
            hint="pip install 'runreel[audit]'",
        ) from None

"""Ed25519 keys that sign checkpoints, stored in PEM files; needs the package ``cryptography``."""

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
    """A public key, which verifies signatures; ``raw`` is its 32 bytes."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        """The short ID that is shown to users: the first 32 hexadecimal digits of its SHA-256."""
        return sha256(self.raw).hexdigest()[:_ID_DIGITS]

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True if the key signed exactly this message.

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
    """A private key with its public key, ``public``."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @property
    def id(self) -> str:
        """The short ID of the public key."""
        return self.public.id

    def sign(self, message: bytes) -> bytes:
        """Return the signature: 64 bytes."""
        return self._key.sign(message)


def generate(path: Path, passphrase: bytes | None = None) -> PublicKey:
    """Create a key pair: the private key at ``path``, readable by its owner only, and ``path.pub``.

    Raises:
        MissingExtra: if the package ``cryptography`` is not installed.
        BadKey: if the passphrase is empty or too long.
        UsageError: if one of the files already exists or cannot be created.
    """
    _need_library()
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    encryption: forms.KeySerializationEncryption = forms.NoEncryption()
    if passphrase is not None:
        _check_passphrase(passphrase)
        encryption = forms.BestAvailableEncryption(passphrase)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, encryption)
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
    """Return the path of the public key that belongs to a private key."""
    return path.with_name(path.name + ".pub")


def load(path: Path, passphrase: Passphrase | None = None) -> SigningKey:
    """Load a private key; ``passphrase`` is called only if the key is encrypted.

    Raises:
        MissingExtra: if the package ``cryptography`` is not installed.
        BadKey: if the file holds no ed25519 private key, or the passphrase is wrong or missing.
    """
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read(path)
    key = _load_pem(path, data, None)
    if key is None:
        secret = None if passphrase is None else passphrase()
        if secret is None:
            raise BadKey(f"the key {path} has a passphrase", hint=_HOW_TO_UNLOCK)
        key = _load_pem(path, data, secret)
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path} is not an ed25519 key")
    return SigningKey(key)


def load_public(path: Path) -> PublicKey:
    """Load a public key.

    Raises:
        MissingExtra: if the package ``cryptography`` is not installed.
        BadKey: if the file holds no ed25519 public key.
    """
    _need_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise BadKey(
            f"{path} is a private key",
            hint="Use the public key, FILE.pub. Keep the private key where it signs.",
        )
    try:
        key = forms.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(f"{path} is not a public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path} is not an ed25519 key")
    return PublicKey(key.public_bytes_raw())


def is_exposed(path: Path) -> bool:
    """True if the file's mode lets other users read, write or execute it."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


_HOW_TO_UNLOCK = "Put it in a file (--passphrase-file) or in RUNREEL_KEY_PASSPHRASE."


def _load_pem(path: Path, data: bytes, passphrase: bytes | None) -> Any:
    """Parse a private key; None if it needs a passphrase and none was given."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms

    try:
        return forms.load_pem_private_key(data, passphrase)
    except TypeError:
        return None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None:
            raise BadKey(f"wrong passphrase for the key {path}") from None
        raise BadKey(f"{path} is not a private key") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE)
    except OSError as error:
        raise BadKey(f"cannot read the key {path}: {error.strerror}") from error


def _check_passphrase(passphrase: bytes) -> None:
    if not 0 < len(passphrase) <= _MAX_PASSPHRASE:
        raise BadKey(f"invalid passphrase: it must have 1 to {_MAX_PASSPHRASE} bytes")


def _need_library() -> None:
    try:
        import cryptography  # noqa: F401 - a check that it is installed
    except ImportError:
        raise MissingExtra(
            "keys and signatures require the package cryptography",
            hint="pip install 'runreel[audit]'",
        ) from None

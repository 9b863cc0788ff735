"""``runreel keygen``: create a key that signs checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import options, passphrase
from runreel.model.errors import BadKey

if TYPE_CHECKING:
    from runreel.cli.render.output import Output


@options.command("""
runreel keygen audit.key
runreel keygen audit.key --passphrase
""")
@click.argument("file", type=click.Path(), metavar="FILE")
@click.option(
    "--passphrase", "ask", is_flag=True, help="Ask for a passphrase that encrypts the private key."
)
@passphrase.option
@options.output()
def keygen_command(*, file: str, ask: bool, passphrase_file: str | None, output: Output) -> None:
    """Create a key that signs checkpoints.

    Writes the private key to FILE, which only its owner can read, and the public key to FILE.pub.
    Keep the private key where checkpoints are created; give the public key to the verifiers.
    Neither is ever stored in the database.
    """
    from runreel.audit import signing

    secret = _ask_twice() if ask else passphrase.read_passphrase(passphrase_file)
    key = signing.generate(Path(file), secret)
    public = str(signing.public_path(Path(file)))
    output.object(
        {
            "key_id": key.id,
            "file": file,
            "public_file": public,
            "passphrase": secret is not None,
        },
        (("Key", key.id), ("Private key", file), ("Public key", public)),
    )


def _ask_twice() -> bytes:
    secret = passphrase.ask_passphrase("Passphrase: ")
    if secret is None:
        raise BadKey(
            "no terminal to ask for a passphrase",
            hint=f"Put it in a file (--passphrase-file) or in {passphrase.ENVIRONMENT}.",
        )
    if secret != passphrase.ask_passphrase("Repeat the passphrase: "):
        raise BadKey("the passphrases differ", hint="No key was created. Try again.")
    return secret

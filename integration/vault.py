"""Envelope encryption for personal data: AES-256-GCM, one data key an order, wrapped by a master key.

Destroying a data key destroys everything sealed with it, in every backup too. Knows no database.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class VaultError(ValueError):
    """A sealed thing cannot be opened: wrong master key, changed bytes, or an erased data key."""


class Vault:
    """Seals and opens. `masters` maps key ids to 32-byte keys; the first is used for new data keys."""

    def __init__(
        self,
        masters: Mapping[str, bytes],
        random_bytes: Callable[[int], bytes],
        fingerprint_key: Callable[["Vault"], bytes] | None = None,
    ) -> None:
        if not masters or any(len(key) != KEY_BYTES for key in masters.values()):
            raise VaultError(f"a master key is {KEY_BYTES} bytes, base64-encoded")
        self._masters = dict(masters)
        self._random = random_bytes
        self.current = next(iter(self._masters))
        self._find_fingerprint_key = fingerprint_key or (lambda _: masters[self.current])
        self._fingerprint_key: bytes | None = None

    def new_key(self, job_id: int) -> tuple[str, bytes, bytes]:
        """A new data key: (master key id, wrapped key to store, the key itself)."""
        key = self._random(KEY_BYTES)
        return self.current, self.wrap(job_id, key), key

    def wrap(self, job_id: int, key: bytes) -> bytes:
        """A data key under the current master key."""
        return self._encrypt(self._masters[self.current], key, f"key:{job_id}")

    def unwrap(self, job_id: int, master: str, wrapped: bytes | None) -> bytes:
        """The data key of a job. Raises `VaultError` when it was erased or its master key is not configured."""
        if wrapped is None:
            raise VaultError("this person's data was erased")
        if master not in self._masters:
            raise VaultError(f"master key {master!r} is not configured here")
        return self._decrypt(self._masters[master], wrapped, f"key:{job_id}")

    def seal(self, key: bytes, content: bytes, label: str) -> bytes:
        """Encrypt under a data key; `label` binds the bytes to their place, so that rows cannot be swapped."""
        return self._encrypt(key, content, label)

    def open(self, key: bytes, sealed: bytes, label: str) -> bytes:
        return self._decrypt(key, sealed, label)

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: equal contents are recognised, yet a guessed e-mail address cannot be tested against it.

        Its key is not the master key: an order's fingerprint must outlive the rotation of that.
        """
        if self._fingerprint_key is None:
            self._fingerprint_key = self._find_fingerprint_key(self)
        return hmac.new(self._fingerprint_key, content, hashlib.sha256).hexdigest()

    def _encrypt(self, key: bytes, content: bytes, label: str) -> bytes:
        nonce = self._random(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, content, label.encode())

    def _decrypt(self, key: bytes, sealed: bytes, label: str) -> bytes:
        try:
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], label.encode())
        except InvalidTag as error:
            raise VaultError("sealed data does not open: wrong master key or changed bytes") from error


def read_master_key(text: str) -> bytes:
    """32 bytes from base64 text. Raises `VaultError` without repeating the text."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise VaultError("the master key is not base64") from error
    if len(key) != KEY_BYTES:
        raise VaultError(f"the master key has {len(key)} bytes, not {KEY_BYTES}")
    return key

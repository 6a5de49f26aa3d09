"""KLAP: the login of newer TP-Link devices as the device sees it: seeds, proofs, sessions, and the sealing of each message.

Both sides know a hash of the account's name and password and show by two proofs over two random seeds that they do; from
all three follow key, start vector, signature key and first number of a session. Version 1 hashes with MD5, version 2 (all
SMART devices, and firmware 1.1.x of the older ones) with SHA-1 and SHA-256 and mixes both seeds into both proofs. There is
no paper by the maker; the arithmetic is that of ``klaptransport.py`` in python-kasa, which real devices accept.

This module knows no socket: `Lock` says what a device answers. Every call says what time it is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

SEED_BYTES = 16
SIGNATURE_BYTES = 32
BLOCK_BITS = 128
SESSION_S = 86_400


class Login(NamedTuple):
    """Name and password of an account; both empty for a device that never met its maker's cloud."""

    username: str
    password: str

    def owner_hash(self) -> str:
        """The owner as a search shows it: MD5 of the name."""
        return hashlib.md5(self.username.encode(), usedforsecurity=False).hexdigest().upper()


class Broken(Exception):
    """A message that does not belong to its session: wrong signature, old number, or no whole blocks."""


def auth_hash(login: Login, version: int) -> bytes:
    """What both sides know of an account, in handshake version 1 or 2."""
    name, word = login.username.encode(), login.password.encode()
    if version == 1:
        return _md5(_md5(name) + _md5(word))
    return _sha256(_sha1(name) + _sha1(word))


class Session:
    """The two ends of one login share this much. ``number`` counts messages, signed and within 32 bits, from a random start."""

    def __init__(self, local_seed: bytes, remote_seed: bytes, known: bytes) -> None:
        mixed = local_seed + remote_seed + known
        start = _sha256(b"iv" + mixed)
        self._key = _sha256(b"lsk" + mixed)[:16]
        self._start = start[:12]
        self._signing = _sha256(b"ldk" + mixed)[:28]
        self.number = int.from_bytes(start[-4:], "big", signed=True)

    def open(self, message: bytes, number: int) -> bytes:
        """The text of a message that carries this number. Raises `Broken`; then nothing has changed."""
        signature, sealed = message[:SIGNATURE_BYTES], message[SIGNATURE_BYTES:]
        ahead = (number - self.number + 2**31) % 2**32 - 2**31
        if ahead <= 0 or not sealed or len(sealed) % 16:
            raise Broken
        if not hmac.compare_digest(signature, self._signature(sealed, number)):
            raise Broken
        decryptor = self._cipher(number).decryptor()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        try:
            plain = unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()
        except ValueError as error:
            raise Broken from error
        self.number = number
        return plain

    def seal(self, plain: bytes) -> bytes:
        """The answer to the message that was opened last; it carries the same number."""
        padder, encryptor = PKCS7(BLOCK_BITS).padder(), self._cipher(self.number).encryptor()
        sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
        return self._signature(sealed, self.number) + sealed

    def _cipher(self, number: int) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._start + number.to_bytes(4, "big", signed=True)))

    def _signature(self, sealed: bytes, number: int) -> bytes:
        return _sha256(self._signing + number.to_bytes(4, "big", signed=True) + sealed)


@dataclass
class _Guest:
    """Somebody who has begun a handshake, and from its second half on has a session."""

    local_seed: bytes
    remote_seed: bytes
    since_s: float
    session: Session | None = None


class Lock:
    """The login of one device. ``most`` guests are remembered, the oldest is forgotten first; nobody knows how many real ones bear.

    ``knocks`` counts first halves of a handshake, ``entries`` those that were proven.
    """

    def __init__(self, login: Login, *, version: int = 2, session_s: int = SESSION_S, most: int = 4) -> None:
        self.login = login
        self.version = version
        self.session_s = session_s
        self.most = most
        self.knocks = 0
        self.entries = 0
        self._guests: dict[str, _Guest] = {}

    def knock(self, local_seed: bytes, at_s: float) -> tuple[str, bytes] | None:
        """First half: the guest's name from here on, and seed and proof of the device. None for what is no seed."""
        if len(local_seed) != SEED_BYTES:
            return None
        self.knocks += 1
        remote_seed = secrets.token_bytes(SEED_BYTES)
        name = secrets.token_hex(16).upper()
        self._guests[name] = _Guest(local_seed, remote_seed, at_s)
        while len(self._guests) > self.most:
            del self._guests[next(iter(self._guests))]
        return name, remote_seed + self._proof(local_seed, remote_seed)

    def enter(self, name: str, proof: bytes) -> bool:
        """Second half: whether the guest has shown that they know the account. A wrong proof ends the handshake."""
        guest = self._guests.get(name)
        if guest is None:
            return False
        if not hmac.compare_digest(proof, self._proof(guest.remote_seed, guest.local_seed)):
            del self._guests[name]
            return False
        self.entries += 1
        guest.session = Session(guest.local_seed, guest.remote_seed, auth_hash(self.login, self.version))
        return True

    def session(self, name: str, at_s: float) -> Session | None:
        """The guest's session; None if there is none, or its time is over."""
        guest = self._guests.get(name)
        if guest is None or guest.session is None:
            return None
        if at_s >= guest.since_s + self.session_s:
            del self._guests[name]
            return None
        return guest.session

    def forget(self) -> None:
        """Every session ends, as when the device restarts."""
        self._guests.clear()

    def _proof(self, first: bytes, second: bytes) -> bytes:
        known = auth_hash(self.login, self.version)
        return _sha256(first + known if self.version == 1 else first + second + known)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()

"""The arithmetic of the newer login is that of python-kasa, which real devices accept; nothing else opens the lock."""

from __future__ import annotations

import pytest
from kasa import Credentials
from kasa.transports.klaptransport import KlapEncryptionSession, KlapTransport, KlapTransportV2

from chargerd.sim.wire.klap import Broken, Lock, Login, Session, auth_hash
from tests.sim.wire.bench import NOON_S, OWNER

CLIENTS = {1: KlapTransport, 2: KlapTransportV2}
LOCAL, REMOTE = bytes(range(16)), bytes(range(16, 32))
KNOWN = auth_hash(OWNER, 2)


@pytest.mark.parametrize("version", [1, 2])
def test_an_account_is_hashed_as_python_kasa_does(version: int) -> None:
    """With umlauts, and with both left empty."""
    for login in (OWNER, Login("kürzer@example.com", "größer"), Login("", "")):
        assert auth_hash(login, version) == CLIENTS[version].generate_auth_hash(Credentials(*login))
    assert OWNER.owner_hash() == KlapTransport.generate_owner_hash(Credentials(*OWNER)).hex().upper()


@pytest.mark.parametrize("version", [1, 2])
def test_both_proofs_are_those_of_python_kasa(version: int) -> None:
    """The device proves itself to the client, and takes the client's proof."""
    client, lock = CLIENTS[version], Lock(OWNER, version=version)
    known = client.generate_auth_hash(Credentials(*OWNER))
    name, answer = lock.knock(LOCAL, NOON_S)
    seed, proof = answer[:16], answer[16:]
    assert proof == client.handshake1_seed_auth_hash(LOCAL, seed, known)
    assert lock.session(name, NOON_S) is None
    assert lock.enter(name, client.handshake2_seed_auth_hash(LOCAL, seed, known))
    assert lock.session(name, NOON_S) is not None


def test_messages_go_both_ways_between_the_device_and_python_kasa() -> None:
    """Ten in a row; each answer carries its question's number and signature."""
    client, device = KlapEncryptionSession(LOCAL, REMOTE, KNOWN), Session(LOCAL, REMOTE, KNOWN)
    for number in range(10):
        sent, seq = client.encrypt(f'{{"question":{number}}}')
        assert device.open(sent, seq) == f'{{"question":{number}}}'.encode()
        assert client.decrypt(device.seal(b'{"answer":"ja, natuerlich"}')) == '{"answer":"ja, natuerlich"}'


@pytest.mark.parametrize("start", [-1, 2**31 - 1, -(2**31)], ids=["from -1", "over the end", "from the least"])
def test_numbers_are_signed_and_begin_again_at_their_end(start: int) -> None:
    """The number after 2147483647 is -2147483648."""
    client, device = KlapEncryptionSession(LOCAL, REMOTE, KNOWN), Session(LOCAL, REMOTE, KNOWN)
    client._seq = start if start < 2**31 - 1 else -(2**31) - 1
    device.number = start
    sent, seq = client.encrypt("x")
    assert device.open(sent, seq) == b"x"


def test_a_message_is_taken_once_and_only_as_it_was_sent() -> None:
    """Sent again, with another number, one bit changed, cut short, or from another session: refused, and nothing changes."""
    client, device = KlapEncryptionSession(LOCAL, REMOTE, KNOWN), Session(LOCAL, REMOTE, KNOWN)
    sent, seq = client.encrypt("x" * 40)
    changed = sent[:-1] + bytes([sent[-1] ^ 1])
    other, other_seq = KlapEncryptionSession(REMOTE, LOCAL, KNOWN).encrypt("x")
    for message, number in [(changed, seq), (sent, seq + 1), (sent[:-16], seq), (sent[:32], seq), (b"", seq)]:
        with pytest.raises(Broken):
            device.open(message, number)
    with pytest.raises(Broken):
        device.open(other, other_seq)
    assert device.open(sent, seq) == b"x" * 40
    with pytest.raises(Broken):
        device.open(sent, seq)


def test_a_number_that_was_left_out_does_no_harm() -> None:
    """A message that never arrived has used its number up."""
    client, device = KlapEncryptionSession(LOCAL, REMOTE, KNOWN), Session(LOCAL, REMOTE, KNOWN)
    client.encrypt("lost")
    assert device.open(*client.encrypt("second")) == b"second"


def test_a_wrong_proof_ends_the_handshake() -> None:
    """The right one is too late then; who never knocked does not get in at all."""
    lock = Lock(OWNER)
    known = auth_hash(OWNER, 2)
    name, answer = lock.knock(LOCAL, NOON_S)
    right = KlapTransportV2.handshake2_seed_auth_hash(LOCAL, answer[:16], known)
    assert not lock.enter(name, bytes(32))
    assert not lock.enter(name, right)
    assert not lock.enter("", right)
    assert (lock.knocks, lock.entries) == (1, 0)
    assert lock.knock(LOCAL[:-1], NOON_S) is None


def test_seeds_are_never_the_same() -> None:
    """A device that always gave one seed could be opened with an old proof."""
    lock = Lock(OWNER)
    first, second = (lock.knock(LOCAL, NOON_S) for _ in range(2))
    assert first[0] != second[0]
    assert first[1][:16] != second[1][:16]


def enter(lock: Lock, at_s: float = NOON_S) -> str:
    """Log in; the guest's name."""
    name, answer = lock.knock(LOCAL, at_s)
    assert lock.enter(name, KlapTransportV2.handshake2_seed_auth_hash(LOCAL, answer[:16], auth_hash(lock.login, 2)))
    return name


def test_a_session_ends_after_its_time_and_with_a_restart() -> None:
    """By the device's own clock: after a day by default."""
    lock = Lock(OWNER)
    name = enter(lock)
    assert lock.session(name, NOON_S + 86_399) is not None
    assert lock.session(name, NOON_S + 86_400) is None
    name = enter(lock)
    lock.forget()
    assert lock.session(name, NOON_S) is None


def test_one_guest_too_many_costs_the_oldest_their_session() -> None:
    """With room for two, the third login throws the first one out."""
    lock = Lock(OWNER, most=2)
    names = [enter(lock) for _ in range(3)]
    assert [lock.session(name, NOON_S) is not None for name in names] == [False, True, True]

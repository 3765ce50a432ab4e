"""The sealing law: a sealed key opens only in its own row, and only with a ring that knows its id."""

from __future__ import annotations

import copy
import pickle
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vault.samples import A_KEY, DEPLOYMENT, NEW, OLD, OTHER, a_place
from webapp.secret import Secret
from webapp.vault.keyring import HEADER, WRAP_END, Keyring, Place, SealError

REFUSAL = "This sealed key does not open here."


def refusal(ring: Keyring, sealed: bytes, place: Place) -> str:
    with pytest.raises(SealError) as caught:
        ring.open(sealed, place)
    return str(caught.value)


# --- what opens -------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=()), max_size=4096))
def test_any_text_comes_back(text: str) -> None:
    ring, place = Keyring(DEPLOYMENT, OLD), a_place()
    assert ring.open(ring.seal(Secret(text), place), place) == Secret(text)


def test_the_length_of_a_key_does_not_show(ring: Keyring) -> None:
    assert {len(ring.seal(Secret("x" * n), a_place())) for n in range(1, 253)} == {HEADER + 256 + 16}


def test_sealing_twice_gives_nothing_in_common_but_the_header(ring: Keyring) -> None:
    place = a_place()
    one, two = ring.seal(A_KEY, place), ring.seal(A_KEY, place)
    assert one[:9] == two[:9]
    assert sum(a == b for a, b in zip(one[9:], two[9:], strict=True)) < 20  # of 360 bytes, 1.4 by chance


def test_no_nonce_comes_twice(ring: Keyring) -> None:
    place = a_place()
    nonces = set()
    for _ in range(50_000):
        sealed = ring.seal(A_KEY, place)
        nonces |= {sealed[9:21], sealed[HEADER - 12 : HEADER]}
    assert len(nonces) == 100_000


# --- what does not ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moved",
    [
        lambda place: replace(place, workspace_id=uuid.uuid4()),
        lambda place: replace(place, provider="openai"),
        lambda place: replace(place, provider="anthropi"),
        lambda place: replace(place, row_id=uuid.uuid4()),
        lambda place: Place(place.row_id, place.provider, place.workspace_id),
        lambda place: replace(place, base_url="https://evil.org"),
    ],
    ids=["workspace", "provider", "shorter provider", "row", "swapped", "address"],
)
def test_a_key_moved_elsewhere_does_not_open(ring: Keyring, moved: Callable[[Place], Place]) -> None:
    place = a_place()
    assert refusal(ring, ring.seal(A_KEY, place), moved(place)) == REFUSAL


def test_a_key_of_another_deployment_does_not_open(ring: Keyring) -> None:
    place = a_place()
    sealed = Keyring(uuid.uuid4(), OLD).seal(A_KEY, place)
    assert refusal(ring, sealed, place) == REFUSAL


def test_a_key_of_another_root_does_not_open_even_under_our_id(ring: Keyring) -> None:
    place = a_place()
    sealed = Keyring(DEPLOYMENT, OTHER).seal(A_KEY, place)
    assert refusal(ring, sealed, place) == REFUSAL
    assert refusal(ring, sealed[:1] + OLD.key_id + sealed[9:], place) == REFUSAL


def test_the_key_id_is_bound_not_only_looked_up() -> None:
    """Two roots in the ring: naming the wrong one is refused like everything else."""
    ring, place = Keyring(DEPLOYMENT, NEW, [OLD]), a_place()
    sealed = Keyring(DEPLOYMENT, OLD).seal(A_KEY, place)
    assert refusal(ring, sealed[:1] + NEW.key_id + sealed[9:], place) == REFUSAL


def test_of_a_hundred_rows_none_opens_in_the_place_of_another(ring: Keyring) -> None:
    places = [a_place(provider) for provider in ("anthropic", "openai") for _ in range(50)]
    sealed = [ring.seal(A_KEY, place) for place in places]
    opened = 0
    for i, blob in enumerate(sealed):
        for j, place in enumerate(places):
            if i == j:
                opened += ring.open(blob, place) == A_KEY
            else:
                assert refusal(ring, blob, place) == REFUSAL
    assert opened == 100


def test_every_flipped_bit_is_refused_with_the_same_words(ring: Keyring) -> None:
    place = a_place()
    sealed = ring.seal(A_KEY, place)
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        assert refusal(ring, bytes(flipped), place) == REFUSAL


def test_every_other_length_is_refused_with_the_same_words(ring: Keyring) -> None:
    place = a_place()
    sealed = ring.seal(A_KEY, place)
    for end in range(len(sealed)):
        assert refusal(ring, sealed[:end], place) == REFUSAL
    for more in (b"\0", bytes(256), sealed):
        assert refusal(ring, sealed + more, place) == REFUSAL


def test_parts_of_two_sealed_keys_do_not_combine(ring: Keyring) -> None:
    place = a_place()
    one, two = ring.seal(A_KEY, place), ring.seal(A_KEY, place)
    for cut in (21, WRAP_END, WRAP_END + 16, HEADER):
        assert refusal(ring, one[:cut] + two[cut:], place) == REFUSAL


def test_a_refusal_takes_as_long_for_a_wrong_place_as_for_a_wrong_tag(ring: Keyring) -> None:
    place = a_place()
    sealed = ring.seal(A_KEY, place)
    wrong_tag = sealed[:-1] + bytes([sealed[-1] ^ 1])

    def median_seconds(blob: bytes, where: Place) -> float:
        times = []
        for _ in range(300):
            start = time.perf_counter()
            with pytest.raises(SealError):
                ring.open(blob, where)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    assert abs(median_seconds(sealed, a_place()) - median_seconds(wrong_tag, place)) < 0.001


# --- rotation ---------------------------------------------------------------------------------------------------

RINGS = {
    "old only": Keyring(DEPLOYMENT, OLD),
    "old, new at hand": Keyring(DEPLOYMENT, OLD, [NEW]),
    "new, old at hand": Keyring(DEPLOYMENT, NEW, [OLD]),
    "new only": Keyring(DEPLOYMENT, NEW),
}


@pytest.mark.parametrize("reader", RINGS)
@pytest.mark.parametrize("writer", RINGS)
def test_who_can_read_what_in_a_rotation(writer: str, reader: str) -> None:
    place = a_place()
    sealed = RINGS[writer].seal(A_KEY, place)
    if (writer.split()[0].rstrip(","), reader) in {("old", "new only"), ("new", "old only")}:
        assert refusal(RINGS[reader], sealed, place) == REFUSAL
    else:
        assert RINGS[reader].open(sealed, place) == A_KEY


def test_resealing_changes_the_wrap_and_never_the_ciphertext() -> None:
    place = a_place()
    sealed = Keyring(DEPLOYMENT, OLD).seal(A_KEY, place)
    ring = RINGS["new, old at hand"]
    renewed = ring.reseal(sealed, place)
    assert ring.needs_reseal(sealed)
    assert not ring.needs_reseal(renewed)
    assert renewed[1:9] == NEW.key_id
    assert renewed[WRAP_END:] == sealed[WRAP_END:]
    assert RINGS["new only"].open(renewed, place) == A_KEY
    assert refusal(RINGS["old only"], renewed, place) == REFUSAL


def test_resealing_refuses_what_does_not_open() -> None:
    ring, place = RINGS["new, old at hand"], a_place()
    sealed = Keyring(DEPLOYMENT, OLD).seal(A_KEY, place)
    with pytest.raises(SealError, match=REFUSAL):
        ring.reseal(sealed, a_place())


def test_what_was_signed_before_a_rotation_still_verifies() -> None:
    before, after = RINGS["old, new at hand"], RINGS["new, old at hand"]
    assert before.subkey("cookies") in after.subkeys("cookies")
    assert after.subkey("cookies") in before.subkeys("cookies")


# --- subkeys and silence ----------------------------------------------------------------------------------------


def test_every_purpose_has_its_own_key(ring: Keyring) -> None:
    given = {ring.subkey("cookies"), ring.subkey("links"), OLD.check_value, OLD.derive("wrapping key")}
    assert len(given) == 4
    assert ring.subkey("wrapping key") != OLD.derive("wrapping key")  # nobody gets the ring's own keys by name
    assert ring.subkey("cookies") == ring.subkey("cookies")


def test_a_fingerprint_tells_keys_apart_and_depends_on_the_root(ring: Keyring) -> None:
    assert len(ring.fingerprint(A_KEY)) == 8
    assert ring.fingerprint(A_KEY) == ring.fingerprint(A_KEY)
    assert ring.fingerprint(A_KEY) != ring.fingerprint(Secret("sk-ant-api03-another"))
    assert ring.fingerprint(A_KEY) != Keyring(DEPLOYMENT, NEW).fingerprint(A_KEY)


@pytest.mark.parametrize("thing", [Keyring(DEPLOYMENT, OLD), OLD], ids=["ring", "root"])
def test_a_ring_does_not_print_pickle_or_copy(thing: object) -> None:
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="does not pickle"):
            copied(thing)
    printed = f"{thing!r} {thing} {[thing]}"
    assert OLD.key_id.hex() in printed
    for hidden in (OLD._root, OLD.derive("wrapping key"), OLD.derive("fingerprint key")):
        assert hidden.hex() not in printed
        assert repr(hidden) not in printed
    with pytest.raises(TypeError):
        vars(thing)


def test_a_refusal_carries_no_key_and_no_cause(ring: Keyring) -> None:
    place = a_place()
    sealed = bytearray(ring.seal(A_KEY, place))
    sealed[-1] ^= 1
    with pytest.raises(SealError) as caught:
        ring.open(bytes(sealed), place)
    assert caught.value.args == (REFUSAL,)
    assert caught.value.__cause__ is None

"""The primitives agree with the vectors of their standards, and the sealed format with its description.

The vectors written here always run. Wycheproof and NIST CAVP run where ../shared holds them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from webapp.secret import Secret
from webapp.vault.keyring import Cost, Keyring, Place, RootKey

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
ONE_GIBIBYTE = 2**20  # scrypt's N in the last vector of RFC 7914


# --- our own ----------------------------------------------------------------------------------------------------


def test_scrypt_gives_what_rfc_7914_section_12_says() -> None:
    given = Scrypt(salt=b"NaCl", length=64, n=1024, r=8, p=16).derive(b"password")
    assert given.hex() == (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )


def test_hkdf_gives_what_rfc_5869_appendix_a_1_says() -> None:
    hkdf = HKDF(SHA256(), 42, salt=bytes(range(13)), info=bytes(range(0xF0, 0xFA)))
    assert hkdf.derive(b"\x0b" * 22).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


# McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14, 16: key, nonce, plain, AAD, cipher + tag.
PLAIN_16 = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
SEALED_16 = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
)
KEY_16, NONCE_16 = "feffe9928665731c6d6a8f9467308308" * 2, "cafebabefacedbaddecaf888"
GCM = [
    ("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    ("00" * 32, "00" * 12, "00" * 16, "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    (KEY_16, NONCE_16, PLAIN_16, "feedfacedeadbeeffeedfacedeadbeefabaddad2", SEALED_16),
]


@pytest.mark.parametrize(("key", "nonce", "plain", "aad", "sealed"), GCM)
def test_aes_gcm_gives_what_its_authors_say(key: str, nonce: str, plain: str, aad: str, sealed: str) -> None:
    gcm = AESGCM(bytes.fromhex(key))
    assert gcm.encrypt(bytes.fromhex(nonce), bytes.fromhex(plain), bytes.fromhex(aad)).hex() == sealed
    assert gcm.decrypt(bytes.fromhex(nonce), bytes.fromhex(sealed), bytes.fromhex(aad)).hex() == plain


# --- the format -------------------------------------------------------------------------------------------------


def test_a_sealed_key_opens_by_the_description_alone() -> None:
    """Only the head of keyring.py was read to write this: the standard library, and AES-GCM."""
    place = Place(uuid.uuid4(), "anthropic", uuid.uuid4())
    deployment = uuid.uuid4()
    root_key = RootKey.stretch(Secret("correct horse battery staple"), b"salty", Cost(n=16, r=8, p=1))
    sealed = Keyring(deployment, root_key).seal(Secret("sk-ant-é"), place)

    root = hashlib.scrypt(b"correct horse battery staple", salt=b"salty", n=16, r=8, p=1, dklen=32)
    assert sealed[0] == 1
    assert sealed[1:9] == hkdf(root, "key id", 8)
    aad = [b"byok/1", deployment.bytes, place.workspace_id.bytes, b"anthropic", place.row_id.bytes]
    wrapping = AESGCM(hkdf(root, "wrapping key", 32))
    payload = wrapping.decrypt(sealed[9:21], sealed[21:69], prefixed([*aad, sealed[1:9]]))
    both = hkdf(payload, "data key and commitment", 48)
    assert sealed[69:85] == both[32:]
    padded = AESGCM(both[:32]).decrypt(sealed[85:97], sealed[97:], prefixed([*aad, b""]))
    length = int.from_bytes(padded[:4], "big")
    assert padded[4 : 4 + length].decode() == "sk-ant-é"
    assert padded[4 + length :] == bytes(256 - 4 - length)


def test_a_key_for_an_address_opens_by_the_description_alone() -> None:
    place, deployment = Place(uuid.uuid4(), "self_hosted", uuid.uuid4(), "https://llm.example.org/v1"), uuid.uuid4()
    root_key = RootKey.stretch(Secret("correct horse battery staple"), b"salty", Cost(n=16, r=8, p=1))
    sealed = Keyring(deployment, root_key).seal(Secret(""), place)

    root = hashlib.scrypt(b"correct horse battery staple", salt=b"salty", n=16, r=8, p=1, dklen=32)
    aad = [b"byok/1", deployment.bytes, place.workspace_id.bytes, b"self_hosted", place.row_id.bytes]
    address = place.base_url.encode()
    wrapping = AESGCM(hkdf(root, "wrapping key", 32))
    payload = wrapping.decrypt(sealed[9:21], sealed[21:69], prefixed([*aad, sealed[1:9], address]))
    data_key = hkdf(payload, "data key and commitment", 48)[:32]
    assert AESGCM(data_key).decrypt(sealed[85:97], sealed[97:], prefixed([*aad, b"", address])) == bytes(256)


def hkdf(material: bytes, purpose: str, length: int) -> bytes:
    """RFC 5869 with an empty salt, and "byok/1 " before the purpose."""
    key = hmac.digest(bytes(32), material, hashlib.sha256)
    out = block = b""
    while len(out) < length:
        block = hmac.digest(key, block + f"byok/1 {purpose}".encode() + bytes([len(out) // 32 + 1]), hashlib.sha256)
        out += block
    return out[:length]


def prefixed(fields: list[bytes]) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def test_a_key_sealed_by_the_first_release_still_opens() -> None:
    ring = Keyring(uuid.UUID(int=1), RootKey.stretch(Secret("golden"), b"golden salt", Cost(n=2)))
    place = Place(uuid.UUID(int=2), "anthropic", uuid.UUID(int=3))
    assert ring.open(bytes.fromhex(GOLDEN), place) == Secret("sk-ant-api03-golden")


GOLDEN = (
    "0129ac40821163bfda8c7401b62e1ea0be48793c22f7bc4015a6af9f758af4e17f2a80fcee5769001334161381e075f4"
    "1dc008b7f6fff14741e87890c33f210512c46c7c43114b15afaaf287113977579604a7826d331d5267673fceccaa0f99"
    "32def002f0b5dd2e65f36860182312d76fad788e7bfe2f1cf892a54046813f928fa266fa712a4574a65b2566050bfe37"
    "07a8fc27ec08794b7e145bba3f6e35979943bcb18d50e486b1ace3ad5a852bb985a7f638c1d8ebff07d78bcacde36288"
    "8e3d2d92f987db5fbcd960b41cc68db78795b1a1847540edef47aa2ec1ef7d6b01e2735a59729dd3c39ef0777cf1ad82"
    "f3b6a0d513169c5eec52fb77fc1a4a9211dfee9e7716cc85e7c2ae4139b41097d4809e7a655e6430ad0085872b7d773a"
    "6556266fbda8a01de1cf9d8a1402f44c4d9b31b5c2d6ccd156bbd361433951cb679e1171061085834b55897dedf91863"
    "1a3c8cc416ca2e2aacaf38988851dd4955183e50176f0a82646b785ed27646af80"
)


# --- Wycheproof and NIST ----------------------------------------------------------------------------------------


def wycheproof_gcm() -> list[Any]:
    path = VECTORS / "wycheproof" / "aes_gcm_test.json"
    groups = json.loads(path.read_text())["testGroups"] if path.exists() else []
    ours = [g for g in groups if (g["keySize"], g["ivSize"], g["tagSize"]) == (256, 96, 128)]
    return [pytest.param(test, id=str(test["tcId"])) for group in ours for test in group["tests"]]


@pytest.mark.parametrize("case", wycheproof_gcm())
def test_aes_gcm_agrees_with_wycheproof(case: dict[str, str]) -> None:
    gcm = AESGCM(bytes.fromhex(case["key"]))
    nonce, aad = bytes.fromhex(case["iv"]), bytes.fromhex(case["aad"])
    sealed = bytes.fromhex(case["ct"] + case["tag"])
    if case["result"] == "valid":
        assert gcm.decrypt(nonce, sealed, aad).hex() == case["msg"]
        assert gcm.encrypt(nonce, bytes.fromhex(case["msg"]), aad) == sealed
    else:
        with pytest.raises(InvalidTag):
            gcm.decrypt(nonce, sealed, aad)


def wycheproof_hkdf() -> list[Any]:
    path = VECTORS / "wycheproof" / "hkdf_sha256_test.json"
    groups = json.loads(path.read_text())["testGroups"] if path.exists() else []
    return [pytest.param(test, id=str(test["tcId"])) for group in groups for test in group["tests"]]


@pytest.mark.parametrize("case", wycheproof_hkdf())
def test_hkdf_agrees_with_wycheproof(case: dict[str, Any]) -> None:
    def derive() -> str:
        hkdf = HKDF(SHA256(), case["size"], salt=bytes.fromhex(case["salt"]), info=bytes.fromhex(case["info"]))
        return hkdf.derive(bytes.fromhex(case["ikm"])).hex()

    if case["result"] == "valid":
        assert derive() == case["okm"]
    else:
        with pytest.raises(ValueError, match="larger than 8160"):
            derive()


def records(path: Path) -> Iterator[dict[str, str]]:
    """The blocks of a NIST response file: `name = value` lines, [parameters] that hold until changed, a bare FAIL."""
    if not path.exists():
        return
    parameters: dict[str, str] = {}
    for block in path.read_text().replace("\r", "").split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
        heads = [line.strip("[]") for line in lines if line.startswith("[")]
        parameters |= dict(fields(heads))
        found = dict(fields(line for line in lines if "=" in line and not line.startswith("[")))
        if found:
            yield parameters | found | {"FAIL": "1" if "FAIL" in lines else ""}


def fields(lines: Any) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition("=")
        yield name.strip(), value.strip()


def cavp(name: str) -> list[dict[str, str]]:
    found = records(VECTORS / "nist_cavp_gcm" / name)
    return [r for r in found if (r["Keylen"], r["IVlen"], r["Taglen"]) == ("256", "96", "128")]


@pytest.mark.skipif(not VECTORS.exists(), reason="no shared vectors here")
def test_aes_gcm_agrees_with_nist_on_decryption() -> None:
    cases = cavp("gcmDecrypt256.rsp")
    assert len(cases) == 375
    for case in cases:
        key, nonce, aad = (bytes.fromhex(case[name]) for name in ("Key", "IV", "AAD"))
        sealed = bytes.fromhex(case["CT"] + case["Tag"])
        if case["FAIL"]:
            with pytest.raises(InvalidTag):
                AESGCM(key).decrypt(nonce, sealed, aad)
        else:
            assert AESGCM(key).decrypt(nonce, sealed, aad).hex() == case["PT"]


@pytest.mark.skipif(not VECTORS.exists(), reason="no shared vectors here")
def test_aes_gcm_agrees_with_nist_on_encryption() -> None:
    cases = cavp("gcmEncryptExtIV256.rsp")
    assert len(cases) == 375
    for case in cases:
        key, nonce, aad, plain = (bytes.fromhex(case[name]) for name in ("Key", "IV", "AAD", "PT"))
        assert AESGCM(key).encrypt(nonce, plain, aad).hex() == case["CT"] + case["Tag"]


@pytest.mark.skipif(not VECTORS.exists(), reason="no shared vectors here")
def test_scrypt_agrees_with_the_rfc_s_vectors() -> None:
    cases = [case for case in records(VECTORS / "kdf" / "scrypt.txt") if int(case["N"]) < ONE_GIBIBYTE]
    assert len(cases) == 3
    for case in cases:
        n, r, p, length = (int(case[name]) for name in ("N", "r", "p", "LENGTH"))
        scrypt = Scrypt(salt=case["SALT"].encode(), length=length, n=n, r=r, p=p)
        assert scrypt.derive(case["PASSWORD"].encode()).hex() == case["DERIVED_KEY"]

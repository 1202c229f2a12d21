"""Words, hex and addresses."""

from __future__ import annotations

import pytest

from infera.errors import ProtocolError
from infera.protocol import abi

# https://eips.ethereum.org/EIPS/eip-55
EIP55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
)


@pytest.mark.parametrize("address", EIP55)
def test_checksums_are_those_of_the_eip(address: str) -> None:
    assert abi.checksum_address(bytes.fromhex(address[2:])) == address
    assert abi.parse_address(address.lower()) == address
    assert abi.parse_address("0x" + address[2:].upper()) == address
    assert abi.address_word(address) == bytes(12) + bytes.fromhex(address[2:])


def test_only_one_spelling_of_an_address_is_encoded() -> None:
    with pytest.raises(ProtocolError, match="EIP-55"):
        abi.address_word(EIP55[0].lower())
    with pytest.raises(ProtocolError, match="checksum"):
        abi.parse_address(EIP55[0].replace("A", "a", 1))


@pytest.mark.parametrize("text", ["", "0x", "5aAeb6", "0x" + "zz" * 20, "0x" + "ab" * 21, None, 5])
def test_what_is_no_address_is_refused(text: object) -> None:
    with pytest.raises(ProtocolError):
        abi.json_address(text, "here")


@pytest.mark.parametrize("bits", [8, 32, 64, 128, 256])
def test_integers_are_bounded(bits: int) -> None:
    encode = abi.uint_encoder(bits)
    assert encode((1 << bits) - 1) == ((1 << bits) - 1).to_bytes(32, "big")
    for bad in (1 << bits, -1, "1", 1.0, None):
        with pytest.raises(ProtocolError):
            encode(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, 256])
def test_json_integers_are_integers(value: object) -> None:
    with pytest.raises(ProtocolError, match="field"):
        abi.json_uint(value, 8, "field")


@pytest.mark.parametrize("value", ["0x1", "0x0g", "0x 1", "00", b"\0", "0x0001"])
def test_hex_is_strict(value: object) -> None:
    with pytest.raises(ProtocolError, match="field"):
        abi.from_hex(value, 1, "field")
    assert abi.from_hex("0xfF", 1) == b"\xff"


def test_text_is_bounded_in_bytes_and_valid() -> None:
    assert abi.json_text("é", 2, "t") == "é"
    for bad in ("éa", "abc", "\ud800", 5):
        with pytest.raises(ProtocolError):
            abi.json_text(bad, 2, "t")


def test_wrong_kinds_of_words_are_refused() -> None:
    for encode, bad in (
        (abi.bytes32_word, b"\0" * 31),
        (abi.bytes32_word, "0" * 32),
        (abi.string_word, "\ud800"),
        (abi.word_encoder("uint8[]"), [1]),
        (abi.word_encoder("uint8[]"), (256,)),
    ):
        with pytest.raises(ProtocolError):
            encode(bad)  # type: ignore[operator]

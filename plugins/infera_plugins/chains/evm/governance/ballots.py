"""Votes signed by one account and sent by another (EIP-712, docs/protocol/governance.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_abi.abi import encode

from infera.errors import InferaError, ProtocolError
from infera.protocol.abi import from_hex, json_address, json_object, json_text, json_uint
from infera_ext import keccak256

from .proposals import SUPPORT

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import Signer
    from infera.types import Address

    from ..binding import Call
    from ..bindings.infera_governor import InferaGovernor

LARGEST = 1 << 16
MOST_REASON = 4_096
_DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_PLAIN = b"Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)"
_REASONED = (
    b"ExtendedBallot(uint256 proposalId,uint8 support,address voter,uint256 nonce,string reason,"
    b"bytes params)"
)
_FIELDS = frozenset(
    ("chain_id", "governor", "proposal", "support", "voter", "nonce", "reason", "signature")
)


@dataclass(frozen=True, slots=True)
class Ballot:
    """One account's vote, good for one proposal of one governor and one nonce."""

    chain_id: int
    governor: Address
    proposal: int
    support: int
    """0 against, 1 for, 2 abstaining."""
    voter: Address
    nonce: int
    reason: str
    signature: bytes = b""

    @property
    def digest(self) -> bytes:
        """What the voter signs."""
        names = [keccak256(_DOMAIN), keccak256(b"INFERA Governor"), keccak256(b"1")]
        domain = encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [*names, self.chain_id, self.governor],
        )
        types = ["bytes32", "uint256", "uint8", "address", "uint256"]
        values: list[Any] = [self.proposal, self.support, self.voter, self.nonce]
        if self.reason:
            types += ["bytes32", "bytes32"]
            values += [keccak256(self.reason.encode()), keccak256(b"")]
        body = encode(types, [keccak256(_REASONED if self.reason else _PLAIN), *values])
        return keccak256(b"\x19\x01" + keccak256(domain) + keccak256(body))

    def signed(self, signer: Signer) -> Ballot:
        """With the voter's signature."""
        return Ballot(
            self.chain_id, self.governor, self.proposal, self.support, self.voter, self.nonce,
            self.reason, signer.sign(self.digest),
        )  # fmt: skip

    def call(self, governor: InferaGovernor) -> Call:
        """What brings it to the governor."""
        if self.reason:
            return governor.cast_vote_with_reason_and_params_by_sig(
                self.proposal, self.support, self.voter, self.reason, b"", self.signature
            )
        return governor.cast_vote_by_sig(self.proposal, self.support, self.voter, self.signature)

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "chain_id": self.chain_id, "governor": self.governor,
            "proposal": f"0x{self.proposal:064x}", "support": list(SUPPORT)[self.support],
            "voter": self.voter, "nonce": self.nonce, "reason": self.reason,
            "signature": "0x" + self.signature.hex(),
        }  # fmt: skip


def read_ballot(file: Path) -> Ballot:
    """A ballot from a file that somebody else wrote."""
    try:
        text = file.read_bytes()[: LARGEST + 1]
    except OSError as e:
        raise InferaError(f"{file} cannot be read: {e.strerror}", code="file_unreadable") from None
    try:
        if len(text) > LARGEST:
            raise ValueError("too large")
        content = json.loads(text)
        if isinstance(content, dict) and "ballot" in content:  # what --json printed
            content = content["ballot"]
        facts = json_object(content, _FIELDS, "ballot")
        return Ballot(
            chain_id=json_uint(facts["chain_id"], 64, "chain_id"),
            governor=json_address(facts["governor"], "governor"),
            proposal=int.from_bytes(from_hex(facts["proposal"], 32, "proposal"), "big"),
            support=SUPPORT[str(facts["support"])],
            voter=json_address(facts["voter"], "voter"),
            nonce=json_uint(facts["nonce"], 64, "nonce"),
            reason=json_text(facts["reason"], MOST_REASON, "reason"),
            signature=from_hex(facts["signature"], None, "signature"),
        )
    except (ValueError, KeyError, ProtocolError) as e:
        raise InferaError(
            f"{file} holds no signed ballot: {e}",
            code="ballot_malformed",
            hint="`infera gov vote … --by-signature` prints one",
        ) from None

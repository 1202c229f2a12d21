// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobLeaf } from "../libraries/Types.sol";
import { Finding } from "./IReputation.sol";

/// @title Where validators tell what their checks found
/// @notice The writer of {IReputation}. An active validator reports what it found about committed jobs, any number of them, of
/// any batches, in one transaction. Each job counts once, whoever reports it first and however often its router commits it.
///
/// A report says which jobs it is about by their leaves and a proof, so a provider is judged by jobs a router committed as its. What
/// it says about them is the validator's word: the draw that gave the job to a validator cannot be recomputed here, because a contract
/// does not see the randomness of a past block. The governor names this contract a writer or does not; it has no powers itself.
interface ICheckDesk {
    /// Findings about jobs of one batch: positions strictly increasing, one multi-proof for all of them.
    struct Report {
        address router;
        uint64 batch;
        uint32[] positions;
        JobLeaf[] leaves;
        Finding[] findings;
        bytes32[] siblings;
    }

    /// @notice The reputation moved; what was found and what came of it is in {IReputation.Recorded}.
    event Checked(
        address indexed validator, address indexed provider, bytes32 indexed ticket, address router, uint64 batch, Finding finding
    );

    error CheckDesk_ZeroAddress();
    error CheckDesk_NotValidator(address caller);
    error CheckDesk_LengthMismatch();
    error CheckDesk_BadProof(address router, uint64 batch);
    error CheckDesk_NothingDecided(Finding finding);
    error CheckDesk_OwnWork(address validator);
    error CheckDesk_NothingNew();

    /// @notice Reports findings, by a validator's hot key or the address that staked. Upheld checks and mismatches only: what decides
    /// nothing is not worth the gas.
    /// @dev A job that was reported before is passed over, so that nobody can spoil a report by sending part of it first; a report of
    /// nothing else is refused.
    /// @return counted How many findings were new.
    function report(Report[] calldata reports) external returns (uint256 counted);

    /// @notice Who reported the job with this ticket; zero while nobody has.
    function reporterOf(bytes32 ticket) external view returns (address);

    function jobRegistry() external view returns (address);

    function reputation() external view returns (address);
}

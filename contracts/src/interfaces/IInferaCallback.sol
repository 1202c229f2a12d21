// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobReceipt } from "../libraries/Types.sol";

/// @title What a contract that asks for inference implements
interface IInferaCallback {
    /// @notice The answer to request `id`. `receipt` is what the provider signed, and `text` is proven to be what it is about.
    /// @dev Must check that the caller is the adapter. May make further requests; fulfilling and withdrawing wait until it returned. If it
    /// reverts or runs out of the gas the request named, nothing is lost: the answer is stored, and delivered again by `redeliver`.
    function onInference(bytes32 id, string calldata text, JobReceipt calldata receipt, address provider) external;
}

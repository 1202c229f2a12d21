// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ICourt } from "../../src/interfaces/ICourt.sol";

/// A court without a law of its own: the test acts in its name.
contract Judge is ICourt {
    uint64 public longestHold;

    constructor(uint64 longestHold_) {
        longestHold = longestHold_;
    }

    function take(uint64 longestHold_) external {
        longestHold = longestHold_;
    }
}

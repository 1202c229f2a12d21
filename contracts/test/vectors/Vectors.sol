// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Test } from "../utils/Test.sol";

/// Vectors are computed here and read by the Python and C tests. A test fails when a committed file is not what Solidity
/// computes; `WRITE_VECTORS=true bin/forge test --match-path 'test/vectors/*'` writes them anew.
abstract contract Vectors is Test {
    string internal constant FOLDER = "../tests/vectors/contracts/";

    function settle(string memory name, string memory json) internal {
        string memory path = string.concat(FOLDER, name);
        if (vm.envOr("WRITE_VECTORS", false)) vm.writeFile(path, json);
        else assertEq(vm.readFile(path), json, string.concat(name, " is not what the contracts compute"));
    }
}

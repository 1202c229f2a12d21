// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { InferaAdapter } from "../../src/adapter/InferaAdapter.sol";
import { IInferaAdapter } from "../../src/interfaces/IInferaAdapter.sol";
import { IInferaCallback } from "../../src/interfaces/IInferaCallback.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { JobReceipt } from "../../src/libraries/Types.sol";

/// A contract that asks, and does with the answer whatever it was told to.
contract Agent is IInferaCallback {
    enum Mode {
        Accept,
        Glance,
        Revert,
        BurnGas,
        ReturnBomb,
        Reenter,
        AskAgain
    }

    error Agent_Refuses();

    InferaAdapter private immutable ADAPTER;
    Mode public mode;
    bytes public call;

    bytes32 public id;
    string public text;
    bytes32 public responseHash;
    address public provider;
    uint256 public answers;
    bool public entered;
    bytes32 public next;
    uint256 public gasSeen;

    constructor(InferaAdapter adapter) {
        ADAPTER = adapter;
        IERC20 usdc = IERC20(IPaymentVault(adapter.vault()).usdc());
        usdc.approve(address(adapter), type(uint256).max);
    }

    function behave(Mode mode_, bytes calldata call_) external {
        (mode, call) = (mode_, call_);
    }

    function ask(IInferaAdapter.Request memory wanted, bytes memory payload) public returns (bytes32) {
        return ADAPTER.request(wanted, payload);
    }

    function onInference(bytes32 id_, string calldata text_, JobReceipt calldata receipt, address provider_) external {
        require(msg.sender == address(ADAPTER), "only the adapter");
        gasSeen = gasleft();
        if (mode == Mode.Glance) return;
        if (mode == Mode.Revert) revert Agent_Refuses();
        if (mode == Mode.BurnGas) while (true) { }
        if (mode == Mode.ReturnBomb) {
            assembly {
                return(0, 100000)
            }
        }
        if (mode == Mode.Reenter) (entered,) = address(ADAPTER).call(call);
        if (mode == Mode.AskAgain) {
            IInferaAdapter.Request memory wanted = abi.decode(call, (IInferaAdapter.Request));
            next = ask(wanted, "");
        }
        (id, text, responseHash, provider) = (id_, text_, receipt.responseHash, provider_);
        ++answers;
    }
}

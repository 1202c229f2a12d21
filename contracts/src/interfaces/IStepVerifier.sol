// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title One step of a computation, done again
/// @notice What a model's arithmetic is, as far as disputes go: a function from states to states. A state is bytes; what is
/// committed of it is its keccak256. The first state is the encoded input of the job, the last one its encoded output
/// ({DisputeManager} says how both are encoded); every state between is the verifier's own affair. It must be impossible to
/// take one of them for an input or output.
///
/// An implementation must keep to this, or honest parties can lose:
///
/// - Each state has at most one successor: no `stepKind`, `step` or `proof` makes two calls with one `preState` answer differently.
/// - Whoever did the computation can make the call succeed, for each of its steps, within the gas of a block.
/// - Everything else reverts: a kind the state does not ask for, a proof that fails, a state after the output. So does running
/// out of gas.
interface IStepVerifier {
    /// @param modelId The model the job names; its weights are part of what a step depends on.
    /// @param stepKind Which operation the step is.
    /// @param preState The state the step starts from, in the clear.
    /// @param step What the step consists of besides the state: operands, an opening of weights.
    /// @param proof What shows that `step` belongs to state and model.
    /// @return postState keccak256 of the state the step leads to.
    function verify(bytes32 modelId, bytes32 stepKind, bytes calldata preState, bytes calldata step, bytes calldata proof)
        external
        view
        returns (bytes32 postState);
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IProofVerifier } from "../../src/interfaces/IProofVerifier.sol";
import { Circuit, IZkVerifier, ModelProof } from "../../src/interfaces/IZkVerifier.sol";
import { ZkVerifier } from "../../src/zk/ZkVerifier.sol";
import { Fixture } from "../utils/Fixture.sol";
import { ToyModelVerifier } from "./ToyModelVerifier.sol";

interface JsonVm {
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32Array(string calldata json, string calldata key) external pure returns (bytes32[] memory);
}

/// Answers as it is told to.
contract Oracle {
    bytes private answer;
    bool private fails;
    bool private burns;

    function set(bytes memory answer_, bool fails_, bool burns_) external {
        (answer, fails, burns) = (answer_, fails_, burns_);
    }

    fallback() external {
        while (burns) { }
        bytes memory data = answer;
        bool bad = fails;
        assembly {
            if bad { revert(add(data, 0x20), mload(data)) }
            return(add(data, 0x20), mload(data))
        }
    }
}

abstract contract ZkFixture is Fixture {
    JsonVm internal constant jvm = JsonVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant CIRCUIT = keccak256("circuit");
    uint32 internal constant GAS = 500_000;

    ZkVerifier internal verifier;
    ToyModelVerifier internal toy;
    bytes32[] internal inputs;
    bytes internal proof;
    bytes32 internal weights;

    function setUp() public virtual override {
        super.setUp();
        string memory json = vm.readFile("../tests/vectors/contracts/groth16.json");
        bytes memory raw = jvm.parseJsonBytes(json, ".key");
        uint256[] memory key = new uint256[](raw.length / 32);
        for (uint256 i; i < key.length; ++i) {
            uint256 value;
            assembly {
                value := mload(add(add(raw, 32), mul(i, 32)))
            }
            key[i] = value;
        }
        toy = new ToyModelVerifier(key);
        inputs = jvm.parseJsonBytes32Array(json, ".inputs");
        proof = jvm.parseJsonBytes(json, ".proof");
        weights = _whole(4);
        verifier = ZkVerifier(proxy(address(new ZkVerifier()), abi.encodeCall(ZkVerifier.initialize, (governor))));
    }

    function _whole(uint256 i) internal view returns (bytes32) {
        return inputs[i] << 128 | inputs[i + 1];
    }

    function register(address target, uint16 extra) internal returns (uint32) {
        vm.prank(governor);
        return verifier.register(MODEL, CIRCUIT, target, weights, extra, GAS);
    }

    function good() internal view returns (ModelProof memory) {
        bytes32[] memory extra = new bytes32[](1);
        extra[0] = inputs[6];
        return ModelProof(MODEL, CIRCUIT, 0, _whole(0), _whole(2), extra, proof);
    }
}

contract ZkVerifier_Initialize_Test is ZkFixture {
    function test_initialize_governor_succeeds() external view {
        assertEq(verifier.owner(), governor, "owner");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        verifier.initialize(stranger);
    }
}

contract ZkVerifier_Register_Test is ZkFixture {
    function test_register_versions_succeeds() external {
        expectEvent(address(verifier));
        emit IZkVerifier.CircuitRegistered(MODEL, CIRCUIT, 0, address(toy), weights);
        assertEq(register(address(toy), 1), 0, "the first");
        assertEq(register(address(toy), 1), 1, "the second");
        assertEq(verifier.versions(MODEL, CIRCUIT), 2, "two");
        Circuit memory record = verifier.circuit(MODEL, CIRCUIT, 0);
        assertEq(record.verifier, address(toy), "verifier");
        assertEq(record.codeHash, address(toy).codehash, "its code");
        assertEq(record.weightsRoot, weights, "weights");
        assertEq(record.registeredAt, START, "when");
        assertEq(record.gasLimit, GAS, "gas");
    }

    function test_register_nothing_reverts() external {
        vm.startPrank(governor);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_ZeroId.selector));
        verifier.register(0, CIRCUIT, address(toy), weights, 1, GAS);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_ZeroId.selector));
        verifier.register(MODEL, 0, address(toy), weights, 1, GAS);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_ZeroId.selector));
        verifier.register(MODEL, CIRCUIT, address(toy), 0, 1, GAS);
        vm.stopPrank();
    }

    function test_register_noCode_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_NoCode.selector, stranger));
        verifier.register(MODEL, CIRCUIT, stranger, weights, 1, GAS);
    }

    function test_register_delegating_reverts() external {
        vm.etch(stranger, abi.encodePacked(hex"ef0100", address(toy)));
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_Delegates.selector, stranger));
        verifier.register(MODEL, CIRCUIT, stranger, weights, 1, GAS);
    }

    function test_register_gasOutOfBounds_reverts() external {
        uint32[2] memory wrong = [uint32(49_999), 10_000_001];
        vm.startPrank(governor);
        for (uint256 i; i < 2; ++i) {
            expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_GasOutOfBounds.selector, wrong[i], 50_000, 10_000_000));
            verifier.register(MODEL, CIRCUIT, address(toy), weights, 1, wrong[i]);
        }
        vm.stopPrank();
    }

    function test_register_tooManyInputs_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_TooManyInputs.selector, 257, 256));
        verifier.register(MODEL, CIRCUIT, address(toy), weights, 257, GAS);
    }

    function test_register_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        verifier.register(MODEL, CIRCUIT, address(toy), weights, 1, GAS);
    }
}

contract ZkVerifier_Retire_Test is ZkFixture {
    function setUp() public override {
        super.setUp();
        register(address(toy), 1);
    }

    function test_retire_provesNoMore_succeeds() external {
        bytes32 statement = verifier.prove(good());
        expectEvent(address(verifier));
        emit IZkVerifier.CircuitRetired(MODEL, CIRCUIT, 0);
        vm.prank(governor);
        verifier.retire(MODEL, CIRCUIT, 0);
        ModelProof memory p = good();
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_Retired.selector, START));
        verifier.verify(p);
        assertEq(verifier.provenAt(statement), START, "what it proved stays proven");
    }

    function test_retire_twice_reverts() external {
        vm.startPrank(governor);
        verifier.retire(MODEL, CIRCUIT, 0);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_Retired.selector, START));
        verifier.retire(MODEL, CIRCUIT, 0);
        vm.stopPrank();
    }

    function test_retire_unknown_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_UnknownVersion.selector, MODEL, CIRCUIT, 1));
        verifier.retire(MODEL, CIRCUIT, 1);
    }

    function test_retire_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        verifier.retire(MODEL, CIRCUIT, 0);
    }
}

contract ZkVerifier_Prove_Test is ZkFixture {
    function setUp() public override {
        super.setUp();
        register(address(toy), 1);
    }

    function test_prove_genuine_succeeds() external {
        ModelProof memory p = good();
        bytes32 expected = verifier.statementOf(MODEL, weights, p.requestHash, p.responseHash);
        expectEvent(address(verifier));
        emit IZkVerifier.Proven(expected, MODEL, CIRCUIT, 0, address(this));
        assertEq(verifier.prove(p), expected, "statement");
        vm.snapshotGasLastCall("attestation", "ZkVerifier.prove, Groth16 with 7 inputs");
        vm.warp(START + 100);
        verifier.prove(p);
        assertEq(verifier.provenAt(expected), START, "proven when it first was");
    }

    function test_prove_otherJob_reverts() external {
        ModelProof memory p = good();
        p.requestHash = bytes32(uint256(p.requestHash) ^ 1);
        _refused(p);
        p = good();
        p.responseHash = bytes32(uint256(p.responseHash) ^ 1);
        _refused(p);
        p = good();
        p.responseHash = bytes32(uint256(p.responseHash) ^ 1 << 200);
        _refused(p);
        p = good();
        p.extraInputs[0] = bytes32(uint256(p.extraInputs[0]) + 1);
        _refused(p);
    }

    function test_prove_otherWeights_reverts() external {
        weights = bytes32(uint256(weights) + 1);
        ModelProof memory p = good();
        p.version = register(address(toy), 1);
        _refused(p);
    }

    function test_prove_changedProof_reverts() external {
        for (uint256 i; i < 256; i += 16) {
            ModelProof memory p = good();
            p.proof[i] ^= 0x01;
            _refused(p);
        }
        ModelProof memory q = good();
        q.proof = "";
        _refused(q);
    }

    function _refused(ModelProof memory p) private {
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_NotProven.selector));
        verifier.prove(p);
    }
}

contract ZkVerifier_Verify_Test is ZkFixture {
    function test_verify_genuine_succeeds() external {
        register(address(toy), 1);
        assertTrue(verifier.verify(good()), "holds");
        assertTrue(toy.verify(proof, inputs), "of itself");
        bytes32[] memory extra = new bytes32[](1);
        extra[0] = inputs[6];
        bytes32[] memory put = verifier.publicInputs(_whole(0), _whole(2), weights, extra);
        assertEq(put.length, inputs.length, "inputs");
        for (uint256 i; i < put.length; ++i) {
            assertEq(put[i], inputs[i], "in their places");
        }
    }

    function test_verify_wrongInputs_reverts() external {
        register(address(toy), 1);
        ModelProof memory p = good();
        p.extraInputs = new bytes32[](2);
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_WrongInputs.selector, 2, 1));
        verifier.verify(p);
    }

    function test_verify_unknown_reverts() external {
        ModelProof memory p = good();
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_UnknownVersion.selector, MODEL, CIRCUIT, 0));
        verifier.verify(p);
    }

    function test_verify_changedCode_reverts() external {
        register(address(toy), 1);
        vm.etch(address(toy), hex"60015f5260205ff3");
        ModelProof memory p = good();
        expectRevert(abi.encodeWithSelector(IZkVerifier.ZkVerifier_CodeChanged.selector, address(toy)));
        verifier.verify(p);
    }

    function test_verify_shortOfGas_reverts() external {
        register(address(toy), 1);
        (bool done, bytes memory why) = address(verifier).call{ gas: 400_000 }(abi.encodeCall(verifier.verify, (good())));
        assertTrue(!done && bytes4(why) == IZkVerifier.ZkVerifier_InsufficientGas.selector, "no answer rather than no");
    }

    /// Only the word 1 is a yes.
    function test_verify_strangeAnswers_areNo() external {
        Oracle oracle = new Oracle();
        vm.prank(governor);
        verifier.register(MODEL, CIRCUIT, address(oracle), weights, 1, 50_000);
        bytes[6] memory answers =
            [bytes(""), hex"01", abi.encode(0), abi.encode(2), abi.encode(1, 1), abi.encode(type(uint256).max)];
        for (uint256 i; i < answers.length; ++i) {
            oracle.set(answers[i], false, false);
            assertFalse(verifier.verify(good()), "no");
        }
        oracle.set(abi.encode(1), true, false);
        assertFalse(verifier.verify(good()), "a revert is a no");
        oracle.set(abi.encode(1), false, true);
        assertFalse(verifier.verify(good()), "so is running out of gas");
        oracle.set(abi.encode(1), false, false);
        assertTrue(verifier.verify(good()), "yes");
    }
}

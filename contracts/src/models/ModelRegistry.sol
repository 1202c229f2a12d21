// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EnumerableSet } from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import { Governed } from "../Governed.sol";
import { IHotPool } from "../interfaces/IHotPool.sol";
import { IModelRegistry } from "../interfaces/IModelRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Role } from "../libraries/Types.sol";

/// @title ModelRegistry
/// @notice Listed models and the official ones among them. See {IModelRegistry}, which is its specification.
contract ModelRegistry is IModelRegistry, Governed {
    using EnumerableSet for EnumerableSet.AddressSet;
    using EnumerableSet for EnumerableSet.Bytes32Set;

    uint256 public constant LONGEST_URI = 256;
    uint256 public constant LONGEST_NAME = 64;
    uint256 public constant PPM = 1_000_000;
    /// @notice A token per second adds at most the whole minimum.
    uint32 public constant HIGHEST_COEFFICIENT = 1_000_000;

    struct Model {
        string name;
        Terms terms;
        EnumerableSet.AddressSet listers;
        mapping(address lister => string) uris;
    }

    /// @custom:storage-location erc7201:infera.storage.ModelRegistry
    struct Storage {
        IStakeRegistry stakes;
        IHotPool hotPool;
        EnumerableSet.Bytes32Set listed;
        EnumerableSet.Bytes32Set official;
        mapping(bytes32 modelId => Model) models;
        mapping(bytes32 nameHash => bytes32[]) versions;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.ModelRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x76fe8cdffd9d71473e2de919e6c0e6cd4f6314b972471b76700b9f229d7e8e00;

    modifier onlyOfficial(bytes32 modelId) {
        // INVARIANT: only official models have terms and a name.
        if (!_storage().official.contains(modelId)) revert ModelRegistry_NotOfficial(modelId);
        _;
    }

    function initialize(address governor, address stakeRegistry_) external initializer {
        __Ownable_init(governor);
        _storage().stakes = IStakeRegistry(stakeRegistry_);
    }

    // Everybody

    /// @inheritdoc IModelRegistry
    function listModel(bytes32 modelId, string calldata uri) external {
        _list(modelId, uri);
    }

    // The governor

    /// @inheritdoc IModelRegistry
    function addModel(bytes32 modelId, string calldata name, string calldata uri, Terms calldata terms) external onlyOwner {
        _list(modelId, uri);
        // INVARIANT: a model is official once; its terms and name change by the calls made for that.
        if (!_storage().official.add(modelId)) revert ModelRegistry_AlreadyOfficial(modelId);
        emit ModelAdded(modelId, name, terms);
        _assign(name, modelId);
        _setTerms(modelId, terms);
    }

    /// @inheritdoc IModelRegistry
    function setTerms(bytes32 modelId, Terms calldata terms) external onlyOwner onlyOfficial(modelId) {
        emit TermsChanged(modelId, terms);
        _setTerms(modelId, terms);
    }

    /// @inheritdoc IModelRegistry
    function setName(bytes32 modelId, string calldata name) external onlyOwner onlyOfficial(modelId) {
        _free(modelId);
        _assign(name, modelId);
    }

    /// @inheritdoc IModelRegistry
    function retireModel(bytes32 modelId) external onlyOwner onlyOfficial(modelId) {
        Storage storage $ = _storage();
        _free(modelId);
        Terms memory terms = $.models[modelId].terms;
        delete $.models[modelId].terms;
        $.official.remove(modelId);
        emit ModelRetired(modelId);
        if (address($.hotPool) != address(0)) $.hotPool.configure(modelId, 0, terms.minSeats, terms.maxSeats);
    }

    /// @inheritdoc IModelRegistry
    function setHotPool(address hotPool_) external onlyOwner {
        _storage().hotPool = IHotPool(hotPool_);
        emit HotPoolChanged(hotPool_);
    }

    // Views

    /// @inheritdoc IModelRegistry
    function modelOf(string calldata name) external view returns (bytes32) {
        return _current(keccak256(bytes(name)));
    }

    /// @inheritdoc IModelRegistry
    function modelAt(string calldata name, uint256 version) external view returns (bytes32) {
        bytes32[] storage versions = _storage().versions[keccak256(bytes(name))];
        return version == 0 || version > versions.length ? bytes32(0) : versions[version - 1];
    }

    /// @inheritdoc IModelRegistry
    function versionOf(string calldata name) external view returns (uint256) {
        return _storage().versions[keccak256(bytes(name))].length;
    }

    /// @inheritdoc IModelRegistry
    function nameOf(bytes32 modelId) external view returns (string memory) {
        return _storage().models[modelId].name;
    }

    /// @inheritdoc IModelRegistry
    function isListed(bytes32 modelId) external view returns (bool) {
        return _storage().listed.contains(modelId);
    }

    /// @inheritdoc IModelRegistry
    function isOfficial(bytes32 modelId) public view returns (bool) {
        return _storage().official.contains(modelId);
    }

    /// @inheritdoc IModelRegistry
    function termsOf(bytes32 modelId) external view returns (Terms memory) {
        return _storage().models[modelId].terms;
    }

    /// @inheritdoc IModelRegistry
    function withinCeilings(bytes32 modelId, uint64 priceIn, uint64 priceOut) external view returns (bool) {
        Terms storage terms = _storage().models[modelId].terms;
        return !isOfficial(modelId) || (priceIn <= terms.maxPriceIn && priceOut <= terms.maxPriceOut);
    }

    /// @inheritdoc IModelRegistry
    function stakeFor(bytes32 modelId, uint32 tokensPerSecond) external view returns (uint256) {
        Storage storage $ = _storage();
        return $.stakes.minimumStake(Role.Provider) * $.models[modelId].terms.stakePpm * tokensPerSecond / PPM;
    }

    /// @inheritdoc IModelRegistry
    function uriOf(bytes32 modelId, address lister) external view returns (string memory) {
        return _storage().models[modelId].uris[lister];
    }

    /// @inheritdoc IModelRegistry
    function modelCount() external view returns (uint256) {
        return _storage().listed.length();
    }

    /// @inheritdoc IModelRegistry
    function models(uint256 offset, uint256 limit) external view returns (bytes32[] memory) {
        return _storage().listed.values(offset, _end(offset, limit));
    }

    /// @inheritdoc IModelRegistry
    function officialCount() external view returns (uint256) {
        return _storage().official.length();
    }

    /// @inheritdoc IModelRegistry
    function officialModels(uint256 offset, uint256 limit) external view returns (bytes32[] memory) {
        return _storage().official.values(offset, _end(offset, limit));
    }

    /// @inheritdoc IModelRegistry
    function listerCount(bytes32 modelId) external view returns (uint256) {
        return _storage().models[modelId].listers.length();
    }

    /// @inheritdoc IModelRegistry
    function listers(bytes32 modelId, uint256 offset, uint256 limit) external view returns (address[] memory) {
        return _storage().models[modelId].listers.values(offset, _end(offset, limit));
    }

    /// @inheritdoc IModelRegistry
    function hotPool() external view returns (address) {
        return address(_storage().hotPool);
    }

    /// @inheritdoc IModelRegistry
    function stakeRegistry() external view returns (address) {
        return address(_storage().stakes);
    }

    // Internals

    function _list(bytes32 modelId, string calldata uri) private {
        // INVARIANT: zero means that there is no model, everywhere.
        if (modelId == bytes32(0)) revert ModelRegistry_NoModel();
        uint256 length = bytes(uri).length;
        // INVARIANT: whoever lists a model says where its manifest is, in few words.
        if (length == 0 || length > LONGEST_URI) revert ModelRegistry_BadUri(length, LONGEST_URI);
        Storage storage $ = _storage();
        Model storage model = $.models[modelId];
        if ($.listed.add(modelId)) emit ModelListed(modelId, msg.sender);
        model.listers.add(msg.sender);
        model.uris[msg.sender] = uri;
        emit ManifestAnnounced(modelId, msg.sender, uri);
    }

    function _setTerms(bytes32 modelId, Terms calldata terms) private {
        Storage storage $ = _storage();
        // INVARIANT: the stake that a throughput asks for stays within reach.
        if (terms.stakePpm > HIGHEST_COEFFICIENT) {
            revert ModelRegistry_CoefficientTooHigh(terms.stakePpm, HIGHEST_COEFFICIENT);
        }
        // INVARIANT: an incentive that was voted for is paid by something.
        if (terms.incentive && address($.hotPool) == address(0)) revert ModelRegistry_NoHotPool();
        $.models[modelId].terms = terms;
        if (address($.hotPool) != address(0)) {
            $.hotPool.configure(modelId, terms.incentive ? terms.subsidyRate : 0, terms.minSeats, terms.maxSeats);
        }
    }

    /// @dev Names look the same in every font and case: a-z, 0-9 and single `.`, `_`, `-`, `/` or `:` between them.
    function _assign(string calldata name, bytes32 modelId) private {
        bool valid = bytes(name).length != 0 && bytes(name).length <= LONGEST_NAME;
        bool letter;
        for (uint256 i; valid && i < bytes(name).length; ++i) {
            bytes1 character = bytes(name)[i];
            bool separator = character == "." || character == "_" || character == "-" || character == "/" || character == ":";
            valid = separator ? letter : (character >= "a" && character <= "z") || (character >= "0" && character <= "9");
            letter = !separator;
        }
        // INVARIANT: no two names can be mistaken for each other.
        if (!valid || !letter) revert ModelRegistry_BadName(name);
        bytes32 nameHash = keccak256(bytes(name));
        // INVARIANT: a name means one model, and never changes its meaning under the model that has it.
        if (_current(nameHash) != bytes32(0)) revert ModelRegistry_NameTaken(name, _current(nameHash));
        Storage storage $ = _storage();
        $.models[modelId].name = name;
        $.versions[nameHash].push(modelId);
        emit NameAssigned(name, modelId, $.versions[nameHash].length);
    }

    function _free(bytes32 modelId) private {
        Storage storage $ = _storage();
        string memory name = $.models[modelId].name;
        bytes32[] storage versions = $.versions[keccak256(bytes(name))];
        versions.push(bytes32(0));
        delete $.models[modelId].name;
        emit NameAssigned(name, bytes32(0), versions.length);
    }

    function _current(bytes32 nameHash) private view returns (bytes32) {
        bytes32[] storage versions = _storage().versions[nameHash];
        return versions.length == 0 ? bytes32(0) : versions[versions.length - 1];
    }

    /// @dev The sets cut off what lies beyond their end; this only keeps the sum from wrapping.
    function _end(uint256 offset, uint256 limit) private pure returns (uint256) {
        return limit > type(uint256).max - offset ? type(uint256).max : offset + limit;
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The models the network knows
/// @notice A model is the hash of its manifest. Anyone *lists* one, for the price of the gas, and says where its manifest is found;
/// whoever fetches it checks it against the hash, so nobody's word is needed, and a listing that leads nowhere harms nobody: every
/// account keeps its own address for a model and none can overwrite another's.
///
/// The governor curates the *official* list on top: a human name, price ceilings, a stake coefficient and what the hot pool pays for
/// keeping the model warm. One call, `addModel`, is all a proposal has to carry: it names the model, sets its terms and opens its hot
/// pool. What the governor cannot do is unlist: a retired model is unofficial again, and served to whoever asks for its hash.
///
/// A name means one model at a time. Every change adds a version, and old versions stay readable.
interface IModelRegistry {
    /// @notice What the governor sets for an official model.
    struct Terms {
        /// Ceilings in micro-USDC per million tokens.
        uint64 maxPriceIn;
        uint64 maxPriceOut;
        /// What a claimed token per second adds to a provider's minimum stake, in millionths of that minimum.
        uint32 stakePpm;
        /// Whether the hot pool pays for seats at all.
        bool incentive;
        /// What all seats of the model together cost at most, in micro-USDC per second.
        uint64 subsidyRate;
        uint8 minSeats;
        uint8 maxSeats;
    }

    event ModelListed(bytes32 indexed modelId, address indexed lister);
    event ManifestAnnounced(bytes32 indexed modelId, address indexed lister, string uri);
    event ModelAdded(bytes32 indexed modelId, string name, Terms terms);
    event TermsChanged(bytes32 indexed modelId, Terms terms);
    event ModelRetired(bytes32 indexed modelId);
    /// @notice From now on `name` means `modelId`; nothing if that is zero.
    event NameAssigned(string name, bytes32 indexed modelId, uint256 version);
    event HotPoolChanged(address hotPool);

    error ModelRegistry_NoModel();
    error ModelRegistry_BadUri(uint256 length, uint256 longest);
    error ModelRegistry_BadName(string name);
    error ModelRegistry_NameTaken(string name, bytes32 modelId);
    error ModelRegistry_AlreadyOfficial(bytes32 modelId);
    error ModelRegistry_NotOfficial(bytes32 modelId);
    error ModelRegistry_CoefficientTooHigh(uint32 ppm, uint32 highest);
    error ModelRegistry_NoHotPool();

    // Everybody

    /// @notice Lists the model, if nobody did before, and announces where the caller keeps its manifest.
    /// @param uri At most 256 bytes. A later call by the same account replaces its own.
    function listModel(bytes32 modelId, string calldata uri) external;

    // The governor

    /// @notice Makes the model official under `name`, lists it if it was not, and sets its hot pool going.
    function addModel(bytes32 modelId, string calldata name, string calldata uri, Terms calldata terms) external;

    /// @notice Sets the terms of an official model, those of its hot pool included.
    function setTerms(bytes32 modelId, Terms calldata terms) external;

    /// @notice Gives an official model another name; the one it had means nothing from then on.
    function setName(bytes32 modelId, string calldata name) external;

    /// @notice Makes the model unofficial, frees its name and stops what its hot pool pays. Its listing stays.
    function retireModel(bytes32 modelId) external;

    /// @notice Names the contract that pays for warm models.
    function setHotPool(address hotPool) external;

    // Views

    /// @notice The model a name means; zero if none.
    function modelOf(string calldata name) external view returns (bytes32);

    /// @notice The model that was the name's `version`; versions count from 1, zero if there is none.
    function modelAt(string calldata name, uint256 version) external view returns (bytes32);

    /// @notice How often the name was assigned.
    function versionOf(string calldata name) external view returns (uint256);

    /// @notice The model's name; empty if it has none.
    function nameOf(bytes32 modelId) external view returns (string memory);

    function isListed(bytes32 modelId) external view returns (bool);

    function isOfficial(bytes32 modelId) external view returns (bool);

    /// @notice The terms of an official model; zeros if it is not.
    function termsOf(bytes32 modelId) external view returns (Terms memory);

    /// @notice Whether the prices respect the model's ceilings. An unofficial model has none.
    function withinCeilings(bytes32 modelId, uint64 priceIn, uint64 priceOut) external view returns (bool);

    /// @notice What claiming `tokensPerSecond` of the model adds to a provider's minimum stake.
    function stakeFor(bytes32 modelId, uint32 tokensPerSecond) external view returns (uint256);

    /// @notice Where `lister` says the model's manifest is; empty if it did not.
    function uriOf(bytes32 modelId, address lister) external view returns (string memory);

    function modelCount() external view returns (uint256);

    /// @notice All models ever listed, in order of listing.
    function models(uint256 offset, uint256 limit) external view returns (bytes32[] memory);

    function officialCount() external view returns (uint256);

    /// @notice The official models, in no particular order.
    function officialModels(uint256 offset, uint256 limit) external view returns (bytes32[] memory);

    /// @notice How many accounts announced the model's manifest.
    function listerCount(bytes32 modelId) external view returns (uint256);

    /// @notice Who announced the model's manifest, in order.
    function listers(bytes32 modelId, uint256 offset, uint256 limit) external view returns (address[] memory);

    function hotPool() external view returns (address);

    function stakeRegistry() external view returns (address);
}

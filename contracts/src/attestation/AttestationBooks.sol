// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Governed } from "../Governed.sol";
import { IAttestationVerifier, QuotingEnclave, RootKind, TcbFloor, Vendor } from "../interfaces/IAttestationVerifier.sol";
import { ITdxVerifier } from "./ITdxVerifier.sol";
import { Certificate, X509 } from "./X509.sol";

/// @title AttestationBooks
/// @notice Whom the verifier trusts, and which keys are enrolled.
/// @dev A lease is a root in one of its times on the whitelist. Certificates and enrolments name the lease they came by; revoking
/// a root ends its lease, and with one write everything that came by it.
abstract contract AttestationBooks is IAttestationVerifier, Governed {
    uint64 public constant SHORTEST_LIFETIME = 1 hours;
    uint64 public constant LONGEST_LIFETIME = 30 days;
    /// @notice The distinguished name of Intel's root, hashed: C=US, ST=CA, L=Santa Clara, O=Intel Corporation, CN=Intel SGX Root CA.
    bytes32 public constant INTEL_NAME = 0x3112c8e9428b5c08824e727e3ea896f3597c8a91caeafe57d64a4bc08df71dfb;
    bytes32 internal constant BINDING = keccak256("INFERA enclave key");

    struct Root {
        Vendor vendor;
        RootKind kind;
        uint32 generation;
        uint64 notAfter;
        bytes32 lease;
        bytes32 x;
        bytes32 y;
        bytes32 name;
    }

    /// What is kept of a certificate. An authority has a name; a platform has its authority's ban.
    struct Kept {
        bytes32 lease;
        bytes32 x;
        bytes32 y;
        bytes32 ban;
        bytes32 nameOrIssuerBan;
        bytes16 sgxSvn;
        bytes6 fmspc;
        uint16 pceSvn;
        uint56 notAfter;
        bool authority;
    }

    struct Enrolment {
        address provider;
        uint48 from;
        uint48 until;
        bytes32 lease;
        bytes32 measurement;
        bytes32 platform;
    }

    struct Measurement {
        bool allowed;
        bytes32 codeId;
        bytes32 modelId;
    }

    struct Floor {
        bool known;
        TcbFloor lowest;
    }

    /// @custom:storage-location erc7201:infera.storage.AttestationVerifier
    struct Storage {
        ITdxVerifier tdx;
        uint64 lifetime;
        bool development;
        address quorum;
        mapping(bytes32 root => Root) roots;
        mapping(bytes32 lease => bytes32 root) leases;
        mapping(bytes32 digest => Kept) certificates;
        mapping(bytes32 root => QuotingEnclave) enclaves;
        mapping(bytes6 fmspc => Floor) floors;
        mapping(bytes32 id => bool) bans;
        mapping(bytes32 measurement => Measurement) measurements;
        mapping(address account => bool) guardians;
        mapping(bytes32 evidence => bool) used;
        mapping(address key => Enrolment) enrolments;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.AttestationVerifier")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x6638a281fda5bc342c6c5108e25e346b1223e4c4c2825ee3eb7465db0405c600;

    modifier onlyGuardian() {
        // INVARIANT: trust is taken away by the governor or a guardian only.
        if (msg.sender != owner() && !_storage().guardians[msg.sender]) revert AttestationVerifier_NotGuardian(msg.sender);
        _;
    }

    // Governor and guardians

    /// @inheritdoc IAttestationVerifier
    function revokeRoot(bytes32 root) external onlyGuardian {
        Storage storage $ = _storage();
        bytes32 lease = $.roots[root].lease;
        // INVARIANT: only what is whitelisted can be revoked.
        if (lease == 0) revert AttestationVerifier_RootNotLive(root);
        delete $.leases[lease];
        $.roots[root].lease = 0;
        emit RootRevoked(root, msg.sender);
    }

    /// @inheritdoc IAttestationVerifier
    function dropMeasurement(bytes32 measurement) external onlyGuardian {
        delete _storage().measurements[measurement];
        emit MeasurementDropped(measurement, msg.sender);
    }

    /// @inheritdoc IAttestationVerifier
    function ban(bytes32 id) external onlyGuardian {
        _storage().bans[id] = true;
        emit BanChanged(id, true, msg.sender);
    }

    /// @inheritdoc IAttestationVerifier
    function setTcbFloor(bytes6 fmspc, TcbFloor calldata floor) external onlyGuardian {
        Floor storage record = _storage().floors[fmspc];
        if (msg.sender != owner()) {
            TcbFloor memory lowest = record.lowest;
            // INVARIANT: a guardian accepts nothing that was not accepted before.
            if (
                !record.known || floor.pceSvn < lowest.pceSvn || !_reaches(floor.sgxSvn, lowest.sgxSvn)
                    || !_reaches(floor.tdxSvn, lowest.tdxSvn)
            ) revert AttestationVerifier_FloorLowered(fmspc);
        }
        record.known = true;
        record.lowest = floor;
        emit TcbFloorChanged(fmspc, floor, msg.sender);
    }

    // Governor

    /// @inheritdoc IAttestationVerifier
    function addRoot(Vendor vendor, bytes calldata certificate) external onlyOwner returns (bytes32 root) {
        Storage storage $ = _storage();
        // INVARIANT: a locally made root is accepted in a development deployment alone, and only Intel's evidence is verified here.
        if (vendor != Vendor.Intel && !(vendor == Vendor.Development && $.development)) {
            revert AttestationVerifier_VendorNotHere(vendor, RootKind.OnChain);
        }
        Certificate memory facts = $.tdx.selfSigned(certificate);
        // INVARIANT: a root of Intel's bears Intel's name, any other does not; a development root cannot pass for Intel's by mistake.
        if ((facts.subject == INTEL_NAME) != (vendor == Vendor.Intel) || facts.issuer != facts.subject) {
            revert AttestationVerifier_NotOfVendor(facts.subject);
        }
        // INVARIANT: a root may issue certificates.
        if (!facts.authority || !facts.signsCertificates) revert AttestationVerifier_NotAuthority();
        _inTime(facts);
        root = X509.keyId(facts.x, facts.y);
        Root storage record = _addRoot(root, vendor, RootKind.OnChain);
        record.notAfter = facts.notAfter;
        record.x = facts.x;
        record.y = facts.y;
        record.name = facts.subject;
    }

    /// @inheritdoc IAttestationVerifier
    function addQuorumRoot(Vendor vendor, bytes32 root) external onlyOwner {
        // INVARIANT: a locally made root is accepted in a development deployment alone; what is verified here is not voted on.
        if (vendor != Vendor.Amd && vendor != Vendor.Nvidia && !(vendor == Vendor.Development && _storage().development)) {
            revert AttestationVerifier_VendorNotHere(vendor, RootKind.Quorum);
        }
        // INVARIANT: zero is no root.
        if (root == 0) revert AttestationVerifier_ZeroRoot();
        _addRoot(root, vendor, RootKind.Quorum).notAfter = type(uint64).max;
    }

    /// @inheritdoc IAttestationVerifier
    function setQuotingEnclave(bytes32 root, QuotingEnclave calldata enclave) external onlyOwner {
        _storage().enclaves[root] = enclave;
        emit QuotingEnclaveChanged(root, enclave);
    }

    /// @inheritdoc IAttestationVerifier
    function allowMeasurement(bytes32 measurement, bytes32 codeId, bytes32 modelId) external onlyOwner {
        // INVARIANT: what is allowed is known code serving a known model.
        if (codeId == 0 || modelId == 0) revert AttestationVerifier_ZeroModel();
        _storage().measurements[measurement] = Measurement(true, codeId, modelId);
        emit MeasurementAllowed(measurement, codeId, modelId);
    }

    /// @inheritdoc IAttestationVerifier
    function unban(bytes32 id) external onlyOwner {
        _storage().bans[id] = false;
        emit BanChanged(id, false, msg.sender);
    }

    /// @inheritdoc IAttestationVerifier
    function setGuardian(address guardian, bool allowed) external onlyOwner {
        _storage().guardians[guardian] = allowed;
        emit GuardianChanged(guardian, allowed);
    }

    /// @inheritdoc IAttestationVerifier
    function setLifetime(uint64 lifetime_) external onlyOwner {
        _setLifetime(lifetime_);
    }

    /// @inheritdoc IAttestationVerifier
    function setQuorum(address quorum_) external onlyOwner {
        _storage().quorum = quorum_;
        emit QuorumChanged(quorum_);
    }

    // Views

    /// @inheritdoc IAttestationVerifier
    function isEnrolled(address provider, address key, uint64 when) public view returns (bool) {
        Storage storage $ = _storage();
        Enrolment storage record = $.enrolments[key];
        return provider != address(0) && record.provider == provider && record.from <= when && when < record.until
            && $.leases[record.lease] != 0 && $.measurements[record.measurement].allowed && !_banned(record.platform);
    }

    /// @inheritdoc IAttestationVerifier
    function binding(address provider, address key, uint64 blockNumber) public view returns (bytes32) {
        bytes32 blockHash = blockhash(blockNumber);
        if (blockHash == 0) return 0;
        return keccak256(abi.encode(BINDING, block.chainid, address(this), provider, key, blockNumber, blockHash));
    }

    /// @inheritdoc IAttestationVerifier
    function enrolmentOf(address key)
        external
        view
        returns (address provider, uint64 from, uint64 until, bytes32 root, bytes32 measurement, bytes32 platform)
    {
        Enrolment storage record = _storage().enrolments[key];
        return (record.provider, record.from, record.until, _storage().leases[record.lease], record.measurement, record.platform);
    }

    /// @inheritdoc IAttestationVerifier
    function rootOf(bytes32 root) external view returns (Vendor vendor, RootKind kind, bool live, uint32 generation) {
        Root storage record = _storage().roots[root];
        return (record.vendor, record.kind, record.lease != 0, record.generation);
    }

    /// @inheritdoc IAttestationVerifier
    function measurementOf(bytes32 measurement) external view returns (bool allowed, bytes32 codeId, bytes32 modelId) {
        Measurement storage record = _storage().measurements[measurement];
        return (record.allowed, record.codeId, record.modelId);
    }

    /// @inheritdoc IAttestationVerifier
    function tcbFloor(bytes6 fmspc) external view returns (bool known, TcbFloor memory floor) {
        return (_storage().floors[fmspc].known, _storage().floors[fmspc].lowest);
    }

    /// @inheritdoc IAttestationVerifier
    function quotingEnclave(bytes32 root) external view returns (QuotingEnclave memory) {
        return _storage().enclaves[root];
    }

    /// @inheritdoc IAttestationVerifier
    function isBanned(bytes32 id) external view returns (bool) {
        return _storage().bans[id];
    }

    /// @inheritdoc IAttestationVerifier
    function banOf(bytes32 issuerKey, uint256 serial) public pure returns (bytes32) {
        return keccak256(abi.encode(issuerKey, serial));
    }

    /// @inheritdoc IAttestationVerifier
    function isLive(bytes32 certificate) public view returns (bool) {
        Kept storage kept = _storage().certificates[certificate];
        return _storage().leases[kept.lease] != 0 && block.timestamp <= kept.notAfter && !_banned(certificate);
    }

    /// @inheritdoc IAttestationVerifier
    function isUsed(bytes32 evidence) external view returns (bool) {
        return _storage().used[evidence];
    }

    /// @inheritdoc IAttestationVerifier
    function quorum() external view returns (address) {
        return _storage().quorum;
    }

    /// @inheritdoc IAttestationVerifier
    function lifetime() external view returns (uint64) {
        return _storage().lifetime;
    }

    /// @inheritdoc IAttestationVerifier
    function isGuardian(address account) external view returns (bool) {
        return _storage().guardians[account];
    }

    /// @inheritdoc IAttestationVerifier
    function development() external view returns (bool) {
        return _storage().development;
    }

    /// @inheritdoc IAttestationVerifier
    function tdxVerifier() external view returns (address) {
        return address(_storage().tdx);
    }

    // Internals

    /// @param notAfter Until when the platform's own certificate lasts.
    function _enrol(
        address provider,
        address key,
        bytes32 lease,
        bytes32 measurement,
        bytes32 platform,
        bytes32 evidence,
        bytes32 context,
        uint64 notAfter
    ) internal {
        Storage storage $ = _storage();
        // INVARIANT: a key is held by allowed code serving a known model.
        if (!$.measurements[measurement].allowed) revert AttestationVerifier_MeasurementNotAllowed(measurement);
        // INVARIANT: nothing from a banned platform is enrolled.
        if (_banned(platform)) revert AttestationVerifier_Banned(platform);
        // INVARIANT: evidence enrols once; to last longer takes fresh evidence.
        if ($.used[evidence]) revert AttestationVerifier_Replayed(evidence);
        Enrolment storage record = $.enrolments[key];
        // INVARIANT: a key is some enclave's and works for one provider, for ever.
        if (key == address(0) || provider == address(0) || (record.provider != address(0) && record.provider != provider)) {
            revert AttestationVerifier_KeyTaken(key, record.provider);
        }
        $.used[evidence] = true;
        uint64 until = uint64(block.timestamp) + $.lifetime;
        if (until > notAfter) until = notAfter;
        // Enrolled without a gap by the same means, a key stays enrolled from when it first was.
        bool unbroken = block.timestamp < record.until && record.lease == lease && record.measurement == measurement
            && record.platform == platform;
        $.enrolments[key] = Enrolment({
            provider: provider,
            from: unbroken ? record.from : uint48(block.timestamp),
            until: uint48(until),
            lease: lease,
            measurement: measurement,
            platform: platform
        });
        emit Enrolled(provider, key, measurement, $.leases[lease], platform, evidence, context, until);
    }

    function _addRoot(bytes32 root, Vendor vendor, RootKind kind) private returns (Root storage record) {
        Storage storage $ = _storage();
        record = $.roots[root];
        // INVARIANT: a root is on the whitelist once, by its latest terms.
        if (record.lease != 0) revert AttestationVerifier_RootLive(root);
        record.vendor = vendor;
        record.kind = kind;
        ++record.generation;
        record.lease = keccak256(abi.encode(root, record.generation));
        $.leases[record.lease] = root;
        emit RootAdded(root, vendor, kind, record.generation);
    }

    /// Whether the platform or whoever certified it is banned.
    function _banned(bytes32 platform) internal view returns (bool) {
        Storage storage $ = _storage();
        Kept storage kept = $.certificates[platform];
        return $.bans[platform] || $.bans[kept.ban] || (!kept.authority && $.bans[kept.nameOrIssuerBan]);
    }

    function _inTime(Certificate memory facts) internal view {
        // INVARIANT: no certificate is used before or after its time.
        if (block.timestamp < facts.notBefore || block.timestamp > facts.notAfter) {
            revert AttestationVerifier_OutOfTime(facts.notBefore, facts.notAfter);
        }
    }

    /// Whether every one of sixteen versions is at least the lowest accepted.
    function _reaches(bytes16 versions, bytes16 lowest) internal pure returns (bool) {
        for (uint256 i; i < 16; ++i) {
            if (versions[i] < lowest[i]) return false;
        }
        return true;
    }

    function _setLifetime(uint64 lifetime_) internal {
        // INVARIANT: an enrolment outlasts its own transaction and never lasts without fresh evidence for more than a month.
        if (lifetime_ < SHORTEST_LIFETIME || lifetime_ > LONGEST_LIFETIME) {
            revert AttestationVerifier_LifetimeOutOfBounds(lifetime_, SHORTEST_LIFETIME, LONGEST_LIFETIME);
        }
        _storage().lifetime = lifetime_;
        emit LifetimeChanged(lifetime_);
    }

    function _storage() internal pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Whose hardware a root speaks for. Development stands for a locally made root.
enum Vendor {
    None,
    Intel,
    Amd,
    Nvidia,
    Development
}

/// How evidence under a root is checked: here, or by a quorum of validators (P-384 and RSA cannot be paid for here).
enum RootKind {
    None,
    OnChain,
    Quorum
}

/// The lowest versions accepted from one kind of platform, component by component.
struct TcbFloor {
    bytes16 sgxSvn;
    uint16 pceSvn;
    bytes16 tdxSvn;
}

/// The quoting enclave a root's platforms must use.
struct QuotingEnclave {
    bytes32 signer;
    uint16 product;
    uint16 minimumSvn;
}

/// Whose key a quote is about. `platform` is the hash of the platform's certificate, `blockNumber` the block in the report data.
struct TdxClaim {
    address provider;
    address key;
    bytes32 platform;
    uint64 blockNumber;
}

/// What validators found in evidence under a `Quorum` root. `evidence` is SHA-256 of the bytes the vendor's key signed.
struct EvidenceClaim {
    bytes32 root;
    bytes32 evidence;
    address provider;
    address key;
    bytes32 measurement;
    bytes32 platform;
    uint64 blockNumber;
    bytes32 blockHash;
}

/// @title Enclave keys of providers
/// @notice A provider's enclave key is enrolled for a while by evidence that hardware of a whitelisted vendor runs measured code
/// which holds the key. A job of tier 1 then needs one signature of that key.
///
/// Evidence of Intel TDX (version 4 quotes) is verified here. Evidence whose signatures are of P-384 or RSA (AMD SEV-SNP, NVIDIA)
/// is verified off-chain by validators; the quorum contract counts their votes and then enrols the key here.
///
/// The report data of an enclave binds its key: its first half is `binding(provider, key, blockNumber)`, which names this chain,
/// this contract, the provider and a block of the last 256; its second half is the enclave's own, such as the hash of a
/// transport key, and is passed on in `Enrolled`.
///
/// An enclave key is enrolled as long as its time lasts, its root is whitelisted, its measurement allowed and its platform not
/// banned. Revoking a root ends all of them at once and for good: whitelisting the root again does not bring them back.
///
/// The governor gives trust. It and guardians it named can take trust away without delay; guardians can give none.
interface IAttestationVerifier {
    event RootAdded(bytes32 indexed root, Vendor indexed vendor, RootKind kind, uint32 generation);
    event RootRevoked(bytes32 indexed root, address indexed by);
    event CertificateAdded(bytes32 indexed certificate, bytes32 indexed root, bytes32 indexed ban, bytes6 fmspc, uint64 notAfter);
    event MeasurementAllowed(bytes32 indexed measurement, bytes32 indexed codeId, bytes32 indexed modelId);
    event MeasurementDropped(bytes32 indexed measurement, address indexed by);
    event TcbFloorChanged(bytes6 indexed fmspc, TcbFloor floor, address indexed by);
    event QuotingEnclaveChanged(bytes32 indexed root, QuotingEnclave enclave);
    event BanChanged(bytes32 indexed ban, bool banned, address indexed by);
    event GuardianChanged(address indexed guardian, bool allowed);
    event LifetimeChanged(uint64 lifetime);
    event QuorumChanged(address indexed quorum);
    event Enrolled(
        address indexed provider,
        address indexed key,
        bytes32 indexed measurement,
        bytes32 root,
        bytes32 platform,
        bytes32 evidence,
        bytes32 context,
        uint64 expiresAt
    );
    event EvidenceRefused(bytes32 indexed evidence);

    error AttestationVerifier_ZeroAddress();
    error AttestationVerifier_DevelopmentOnMainnet(uint256 chainId);
    error AttestationVerifier_NotGuardian(address caller);
    error AttestationVerifier_VendorNotHere(Vendor vendor, RootKind kind);
    error AttestationVerifier_NotOfVendor(bytes32 subject);
    error AttestationVerifier_NotAuthority();
    error AttestationVerifier_OutOfTime(uint64 notBefore, uint64 notAfter);
    error AttestationVerifier_RootLive(bytes32 root);
    error AttestationVerifier_RootNotLive(bytes32 root);
    error AttestationVerifier_ZeroRoot();
    error AttestationVerifier_UnknownIssuer(bytes32 issuer);
    error AttestationVerifier_WrongIssuer(bytes32 named, bytes32 expected);
    error AttestationVerifier_NotPlatform();
    error AttestationVerifier_Banned(bytes32 ban);
    error AttestationVerifier_PlatformNotLive(bytes32 platform);
    error AttestationVerifier_TcbUnknown(bytes6 fmspc);
    error AttestationVerifier_TcbOutOfDate(bytes6 fmspc);
    error AttestationVerifier_FloorLowered(bytes6 fmspc);
    error AttestationVerifier_WrongQuotingEnclave(bytes32 signer, uint16 product, uint16 svn);
    error AttestationVerifier_MeasurementNotAllowed(bytes32 measurement);
    error AttestationVerifier_ZeroModel();
    error AttestationVerifier_WrongReportData(bytes32 found, bytes32 expected);
    error AttestationVerifier_BlockNotRecent(uint64 blockNumber);
    error AttestationVerifier_Replayed(bytes32 evidence);
    error AttestationVerifier_KeyTaken(address key, address provider);
    error AttestationVerifier_NotQuorum(address caller);
    error AttestationVerifier_LifetimeOutOfBounds(uint64 lifetime, uint64 lowest, uint64 highest);

    // Anyone

    /// @notice Verifies certificates once and keeps what they say. Those already kept are passed over.
    /// @param issuer Who issued the first: a root, or the hash of a certificate kept before.
    /// @param chain Each issued by the one before it; DER. A root issues authorities, an authority issues platforms.
    function addCertificates(bytes32 issuer, bytes[] calldata chain) external;

    /// @notice Enrols the key a quote is about. The platform's certificate has been added before (`multicall` does both).
    /// @param quote The quote; its certificates are not read and may be left out from their first byte on.
    function enrol(TdxClaim calldata claim, bytes calldata quote) external;

    // The quorum

    /// @notice Enrols the key of a claim that validators bear out.
    function enrolByQuorum(EvidenceClaim calldata claim) external;

    /// @notice Shuts out evidence that validators found to prove nothing.
    function refuseEvidence(bytes32 evidence) external;

    // Governor and guardians

    function revokeRoot(bytes32 root) external;

    function dropMeasurement(bytes32 measurement) external;

    /// @notice Bans a platform or an authority: for certificates `banOf(...)`, else the platform as validators name it.
    function ban(bytes32 id) external;

    /// @notice Sets the lowest versions of a kind of platform. A guardian can only raise them.
    function setTcbFloor(bytes6 fmspc, TcbFloor calldata floor) external;

    // Governor

    /// @notice Whitelists the key of a self-signed certificate whose evidence is verified here.
    function addRoot(Vendor vendor, bytes calldata certificate) external returns (bytes32 root);

    /// @notice Whitelists a key, by SHA-256 of its SubjectPublicKeyInfo, whose evidence validators verify.
    function addQuorumRoot(Vendor vendor, bytes32 root) external;

    function setQuotingEnclave(bytes32 root, QuotingEnclave calldata enclave) external;

    /// @notice Allows what a measurement stands for: this code, serving this model.
    function allowMeasurement(bytes32 measurement, bytes32 codeId, bytes32 modelId) external;

    function unban(bytes32 id) external;

    function setGuardian(address guardian, bool allowed) external;

    function setLifetime(uint64 lifetime) external;

    /// @notice Names the contract that counts votes; zero for none.
    function setQuorum(address quorum) external;

    // Views

    /// @notice Whether `key` is enrolled for `provider` and was so at `when`; what was revoked since was never enrolled.
    function isEnrolled(address provider, address key, uint64 when) external view returns (bool);

    /// @notice Whether a key now enrolled for `provider` signed `receiptDigest`.
    function verifyJob(address provider, bytes32 receiptDigest, bytes calldata enclaveSignature) external view returns (bool);

    /// @notice Whether a key enrolled for `provider` at `when`, whose code serves `modelId`, signed `receiptDigest`.
    function verifyJobAt(address provider, bytes32 modelId, uint64 when, bytes32 receiptDigest, bytes calldata enclaveSignature)
        external
        view
        returns (bool);

    /// @notice What the first half of the report data must be; zero if the block is not one of the last 256.
    function binding(address provider, address key, uint64 blockNumber) external view returns (bytes32);

    function enrolmentOf(address key)
        external
        view
        returns (address provider, uint64 from, uint64 until, bytes32 root, bytes32 measurement, bytes32 platform);

    function rootOf(bytes32 root) external view returns (Vendor vendor, RootKind kind, bool live, uint32 generation);

    function measurementOf(bytes32 measurement) external view returns (bool allowed, bytes32 codeId, bytes32 modelId);

    function tcbFloor(bytes6 fmspc) external view returns (bool known, TcbFloor memory floor);

    function quotingEnclave(bytes32 root) external view returns (QuotingEnclave memory);

    function isBanned(bytes32 id) external view returns (bool);

    /// @notice The id a certificate is banned by: its issuer's key and its serial number.
    function banOf(bytes32 issuerKey, uint256 serial) external pure returns (bytes32);

    /// @notice Whether the certificate with this hash is kept and good today.
    function isLive(bytes32 certificate) external view returns (bool);

    function isUsed(bytes32 evidence) external view returns (bool);

    function quorum() external view returns (address);

    function lifetime() external view returns (uint64);

    function isGuardian(address account) external view returns (bool);

    /// @notice Whether this deployment accepts locally made roots. Decided when it was initialised.
    function development() external view returns (bool);

    function tdxVerifier() external view returns (address);
}

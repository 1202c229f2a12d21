// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { MulticallUpgradeable } from "@openzeppelin/contracts-upgradeable/utils/MulticallUpgradeable.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {
    EvidenceClaim,
    IAttestationVerifier,
    QuotingEnclave,
    RootKind,
    TcbFloor,
    TdxClaim
} from "../interfaces/IAttestationVerifier.sol";
import { AttestationBooks } from "./AttestationBooks.sol";
import { ITdxVerifier } from "./ITdxVerifier.sol";
import { Quote } from "./TdxQuote.sol";
import { Certificate, X509 } from "./X509.sol";

/// @title AttestationVerifier
/// @notice Enclave keys of providers, by evidence of their hardware's vendors. See {IAttestationVerifier}, which is its specification.
contract AttestationVerifier is AttestationBooks, MulticallUpgradeable {
    modifier onlyQuorum() {
        // INVARIANT: only the contract that counts votes speaks for the quorum.
        if (msg.sender != _storage().quorum) revert AttestationVerifier_NotQuorum(msg.sender);
        _;
    }

    /// @param development_ Whether locally made roots can be whitelisted. Cannot be changed, and cannot be true on a main network.
    function initialize(address governor, address tdxVerifier_, uint64 lifetime_, bool development_) external initializer {
        // INVARIANT: there is always something that checks quotes.
        if (tdxVerifier_.code.length == 0) revert AttestationVerifier_ZeroAddress();
        // INVARIANT: where money is real, only hardware of vendors counts.
        if (development_ && (block.chainid == 1 || block.chainid == 8453)) {
            revert AttestationVerifier_DevelopmentOnMainnet(block.chainid);
        }
        __Ownable_init(governor);
        _storage().tdx = ITdxVerifier(tdxVerifier_);
        _storage().development = development_;
        _setLifetime(lifetime_);
    }

    /// @inheritdoc IAttestationVerifier
    function addCertificates(bytes32 issuer, bytes[] calldata chain) external {
        for (uint256 i; i < chain.length; ++i) {
            bytes32 id = keccak256(chain[i]);
            if (_storage().leases[_storage().certificates[id].lease] == 0) _addCertificate(issuer, id, chain[i]);
            issuer = id;
        }
    }

    /// @inheritdoc IAttestationVerifier
    function enrol(TdxClaim calldata claim, bytes calldata data) external {
        Storage storage $ = _storage();
        Kept memory platform = $.certificates[claim.platform];
        // INVARIANT: quotes come from platforms certified under a whitelisted root, in time and not banned.
        if (platform.authority || !isLive(claim.platform)) revert AttestationVerifier_PlatformNotLive(claim.platform);
        Quote memory quote = $.tdx.quote(data, platform.x, platform.y);
        _enclave($.enclaves[$.leases[platform.lease]], quote);
        _tcb(platform, quote);
        bytes32 expected = binding(claim.provider, claim.key, claim.blockNumber);
        // INVARIANT: a quote is of the last 256 blocks.
        if (expected == 0) revert AttestationVerifier_BlockNotRecent(claim.blockNumber);
        // INVARIANT: a quote is about this key, of this provider, for this contract on this chain.
        if (quote.reportData != expected) revert AttestationVerifier_WrongReportData(quote.reportData, expected);
        _enrol(
            claim.provider,
            claim.key,
            platform.lease,
            quote.measurement,
            claim.platform,
            quote.evidence,
            quote.context,
            platform.notAfter
        );
    }

    /// @inheritdoc IAttestationVerifier
    function enrolByQuorum(EvidenceClaim calldata claim) external onlyQuorum {
        Root storage root = _storage().roots[claim.root];
        // INVARIANT: votes count for evidence under a whitelisted root only, and not for what is verified here.
        if (root.lease == 0 || root.kind != RootKind.Quorum) revert AttestationVerifier_RootNotLive(claim.root);
        _enrol(claim.provider, claim.key, root.lease, claim.measurement, claim.platform, claim.evidence, bytes32(0), root.notAfter);
    }

    /// @inheritdoc IAttestationVerifier
    function refuseEvidence(bytes32 evidence) external onlyQuorum {
        _storage().used[evidence] = true;
        emit EvidenceRefused(evidence);
    }

    /// @inheritdoc IAttestationVerifier
    function verifyJob(address provider, bytes32 receiptDigest, bytes calldata enclaveSignature) external view returns (bool) {
        return isEnrolled(provider, _recover(receiptDigest, enclaveSignature), uint64(block.timestamp));
    }

    /// @inheritdoc IAttestationVerifier
    function verifyJobAt(address provider, bytes32 modelId, uint64 when, bytes32 receiptDigest, bytes calldata enclaveSignature)
        external
        view
        returns (bool)
    {
        address key = _recover(receiptDigest, enclaveSignature);
        Storage storage $ = _storage();
        return $.measurements[$.enrolments[key].measurement].modelId == modelId && isEnrolled(provider, key, when);
    }

    // Internals

    /// A root issues authorities, an authority issues platforms, a platform issues nothing.
    function _addCertificate(bytes32 issuer, bytes32 id, bytes calldata der) private {
        Storage storage $ = _storage();
        Root storage root = $.roots[issuer];
        Kept storage kept = $.certificates[id];
        bytes32 name = root.name;
        bytes32 issuerBan;
        uint64 notAfter = root.notAfter;
        Certificate memory facts;
        bool underRoot = root.lease != 0 && root.kind == RootKind.OnChain;
        if (underRoot) {
            facts = $.tdx.certificate(der, root.x, root.y);
            kept.lease = root.lease;
            kept.ban = banOf(issuer, facts.serial);
        } else {
            Kept memory authority = $.certificates[issuer];
            // INVARIANT: certificates hang from a whitelisted root, by authorities that are in time and not banned.
            if (!authority.authority || !isLive(issuer)) revert AttestationVerifier_UnknownIssuer(issuer);
            facts = $.tdx.certificate(der, authority.x, authority.y);
            (name, issuerBan, notAfter) = (authority.nameOrIssuerBan, authority.ban, authority.notAfter);
            kept.lease = authority.lease;
            kept.ban = banOf(X509.keyId(authority.x, authority.y), facts.serial);
        }
        // INVARIANT: a certificate names who issued it.
        if (facts.issuer != name) revert AttestationVerifier_WrongIssuer(facts.issuer, name);
        // INVARIANT: under a root, only who may issue certificates is let in.
        if (underRoot && !(facts.authority && facts.signsCertificates)) revert AttestationVerifier_NotAuthority();
        // INVARIANT: under an authority, only platforms are let in, and they issue nothing.
        if (!underRoot && (facts.authority || !facts.platform)) revert AttestationVerifier_NotPlatform();
        _inTime(facts);
        // INVARIANT: no banned certificate is let in.
        if ($.bans[kept.ban]) revert AttestationVerifier_Banned(kept.ban);
        kept.x = facts.x;
        kept.y = facts.y;
        kept.nameOrIssuerBan = underRoot ? facts.subject : issuerBan;
        kept.authority = underRoot;
        (kept.sgxSvn, kept.fmspc, kept.pceSvn) = (facts.sgxSvn, facts.fmspc, facts.pceSvn);
        kept.notAfter = uint56(facts.notAfter < notAfter ? facts.notAfter : notAfter);
        emit CertificateAdded(id, $.leases[kept.lease], kept.ban, facts.fmspc, kept.notAfter);
    }

    function _enclave(QuotingEnclave memory known, Quote memory quote) private pure {
        // INVARIANT: only the vendor's released quoting enclave vouches for attestation keys.
        if (
            known.signer == 0 || quote.enclaveSigner != known.signer || quote.enclaveProduct != known.product
                || quote.enclaveSvn < known.minimumSvn
        ) revert AttestationVerifier_WrongQuotingEnclave(quote.enclaveSigner, quote.enclaveProduct, quote.enclaveSvn);
    }

    function _tcb(Kept memory platform, Quote memory quote) private view {
        Floor storage floor = _storage().floors[platform.fmspc];
        // INVARIANT: a kind of platform nobody has set versions for is not trusted.
        if (!floor.known) revert AttestationVerifier_TcbUnknown(platform.fmspc);
        TcbFloor memory lowest = floor.lowest;
        // INVARIANT: every component of the platform has at least the version that is safe.
        if (platform.pceSvn < lowest.pceSvn || !_reaches(platform.sgxSvn, lowest.sgxSvn) || !_reaches(quote.tdxSvn, lowest.tdxSvn)) revert AttestationVerifier_TcbOutOfDate(platform.fmspc);
    }

    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        (signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
    }
}

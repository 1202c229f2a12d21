// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EIP712Upgradeable } from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { Governed } from "./Governed.sol";
import { IJobRegistry } from "./interfaces/IJobRegistry.sol";
import { IStakeRegistry } from "./interfaces/IStakeRegistry.sol";
import { Merkle } from "./libraries/Merkle.sol";
import { Messages } from "./libraries/Messages.sol";
import { Pricing } from "./libraries/Pricing.sol";
import { Batch, BatchHeader, JobLeaf, JobReceipt, JobTicket, KeyGrant, ProviderOffer, Role, Verdict } from "./libraries/Types.sol";

/// @title JobRegistry
/// @notice The log of settled work and the home of the INFERA/1 domain. See {IJobRegistry}, which is its specification.
contract JobRegistry is IJobRegistry, Governed, EIP712Upgradeable {
    uint32 public constant MAX_JOBS = 10_000;
    /// @notice Bits of the tiers there are: 1 tee, 2 optimistic, 3 zkml.
    uint8 public constant TIERS = 0x0e;
    uint8 public constant OPTIMISTIC = 0x04;
    uint64 public constant SHORTEST_WINDOW = 1 seconds;
    uint64 public constant LONGEST_WINDOW = 1 days;

    /// @custom:storage-location erc7201:infera.storage.JobRegistry
    struct Storage {
        IStakeRegistry stakes;
        uint64 challengeWindow;
        mapping(address router => Batch[]) batches;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.JobRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x741a154c7ff241e39578f753d689fb67ae76df06aeaa42482c2e6fb02e97bd00;

    function initialize(address governor, address stakeRegistry_, uint64 challengeWindow_) external initializer {
        // INVARIANT: the registry always knows who the routers are.
        if (stakeRegistry_ == address(0)) revert JobRegistry_ZeroAddress();
        __Ownable_init(governor);
        __EIP712_init("INFERA", "1");
        _storage().stakes = IStakeRegistry(stakeRegistry_);
        _setChallengeWindow(challengeWindow_);
    }

    /// @inheritdoc IJobRegistry
    function commitBatch(BatchHeader calldata header) external returns (uint64 finalAt) {
        Storage storage $ = _storage();
        // INVARIANT: only a router commits its own batches, with its cold or its present hot key.
        if (msg.sender != header.router && $.stakes.operatorOf(msg.sender) != header.router) {
            revert JobRegistry_NotRouter(msg.sender, header.router);
        }
        // INVARIANT: whoever commits has something to lose.
        if (!$.stakes.isActive(header.router, Role.Router)) revert JobRegistry_RouterInactive(header.router);
        Batch[] storage all = $.batches[header.router];
        // INVARIANT: a router's batches are numbered from zero without gaps.
        if (header.index != all.length) revert JobRegistry_WrongIndex(header.index, uint64(all.length));
        // INVARIANT: a batch has between one and ten thousand jobs.
        if (header.count == 0 || header.count > MAX_JOBS) revert JobRegistry_CountOutOfRange(header.count);
        // INVARIANT: a batch names the tiers of its jobs, and only tiers there are.
        if (header.tiers == 0 || header.tiers & ~TIERS != 0) revert JobRegistry_UnknownTiers(header.tiers);
        // INVARIANT: what was debited was either credited or a fee. Compared in 256 bits, so it cannot wrap.
        if (header.debited != uint256(header.credited) + header.fees) {
            revert JobRegistry_Unbalanced(header.debited, header.credited, header.fees);
        }

        uint256 earliest = block.timestamp;
        if (header.tiers & OPTIMISTIC != 0) earliest += $.challengeWindow;
        if (header.index != 0) {
            Batch storage last = all[header.index - 1];
            // INVARIANT: cumulative totals never decrease.
            if (header.debited < last.debited || header.credited < last.credited || header.fees < last.debited - last.credited) {
                revert JobRegistry_TotalsDecrease();
            }
            if (last.finalAt > earliest) earliest = last.finalAt;
        }
        finalAt = uint64(earliest);
        all.push(
            Batch({
                jobsRoot: header.jobsRoot,
                debitsRoot: header.debitsRoot,
                creditsRoot: header.creditsRoot,
                decisionsRoot: header.decisionsRoot,
                count: header.count,
                grants: header.grants,
                providers: header.providers,
                tiers: header.tiers,
                committedAt: uint40(block.timestamp),
                finalAt: uint40(finalAt),
                committedIn: uint48(block.number),
                debited: header.debited,
                credited: header.credited
            })
        );
        emit BatchCommitted(header.router, header.index, header, finalAt);
    }

    /// @inheritdoc IJobRegistry
    function setChallengeWindow(uint64 window) external onlyOwner {
        _setChallengeWindow(window);
    }

    // Batches

    /// @inheritdoc IJobRegistry
    function batchCount(address router) external view returns (uint64) {
        return uint64(_storage().batches[router].length);
    }

    /// @inheritdoc IJobRegistry
    function batch(address router, uint64 index) external view returns (Batch memory) {
        return _batch(router, index);
    }

    /// @inheritdoc IJobRegistry
    function finality(address router, uint64 index) external view returns (uint64 finalAt) {
        return _batch(router, index).finalAt;
    }

    /// @inheritdoc IJobRegistry
    function isFinal(address router, uint64 index) external view returns (bool) {
        Batch[] storage all = _storage().batches[router];
        return index < all.length && block.timestamp >= all[index].finalAt;
    }

    /// @inheritdoc IJobRegistry
    function newestFinal(address router) external view returns (bool exists, uint64 index) {
        Batch[] storage all = _storage().batches[router];
        // Finality times never decrease, so the final batches are a prefix; find its end.
        uint256 low;
        uint256 high = all.length;
        while (low < high) {
            uint256 middle = (low + high) >> 1;
            if (block.timestamp >= all[middle].finalAt) low = middle + 1;
            else high = middle;
        }
        return low == 0 ? (false, 0) : (true, uint64(low - 1));
    }

    /// @inheritdoc IJobRegistry
    function finalDebits(address router, uint64 index)
        external
        view
        returns (bytes32 debitsRoot, uint32 grants, uint64 committedAt)
    {
        Batch storage record = _finalBatch(router, index);
        return (record.debitsRoot, record.grants, record.committedAt);
    }

    /// @inheritdoc IJobRegistry
    function finalCredits(address router, uint64 index) external view returns (bytes32 creditsRoot, uint32 providers) {
        Batch storage record = _finalBatch(router, index);
        return (record.creditsRoot, record.providers);
    }

    /// @inheritdoc IJobRegistry
    function verifyLeaf(address router, uint64 index, JobLeaf calldata leaf, uint32 position, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        Batch storage record = _batch(router, index);
        return Merkle.verify(record.jobsRoot, leafHash(leaf), position, record.count, proof);
    }

    // Messages

    /// @inheritdoc IJobRegistry
    function verifyReceipt(
        JobTicket calldata ticket,
        bytes calldata ticketSignature,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature
    ) external view returns (bool) {
        bytes32 digest = ticketDigest(ticket);
        uint256 price = cost(receipt.tokensIn, receipt.tokensOut, ticket.priceIn, ticket.priceOut, ticket.premiumBps);
        return receipt.ticket == digest && receipt.cost == (price < ticket.maxCost ? price : ticket.maxCost)
            && _signed(ticket.router, digest, ticketSignature, ticket.issuedAt)
            && _signed(ticket.provider, receiptDigest(receipt), receiptSignature, receipt.completedAt);
    }

    /// @inheritdoc IJobRegistry
    function grantDigest(KeyGrant calldata grant) external view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(grant));
    }

    /// @inheritdoc IJobRegistry
    function ticketDigest(JobTicket calldata ticket) public view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(ticket));
    }

    /// @inheritdoc IJobRegistry
    function receiptDigest(JobReceipt calldata receipt) public view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(receipt));
    }

    /// @inheritdoc IJobRegistry
    function verdictDigest(Verdict calldata verdict) external view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(verdict));
    }

    /// @inheritdoc IJobRegistry
    function offerDigest(ProviderOffer calldata offer) external view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(offer));
    }

    /// @inheritdoc IJobRegistry
    function leafHash(JobLeaf calldata leaf) public pure returns (bytes32) {
        return Merkle.leafHash(abi.encode(leaf));
    }

    /// @inheritdoc IJobRegistry
    function cost(uint32 tokensIn, uint32 tokensOut, uint64 priceIn, uint64 priceOut, uint32 premiumBps)
        public
        pure
        returns (uint256)
    {
        return Pricing.cost(tokensIn, tokensOut, priceIn, priceOut, premiumBps);
    }

    /// @inheritdoc IJobRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IJobRegistry
    function challengeWindow() external view returns (uint64) {
        return _storage().challengeWindow;
    }

    /// @inheritdoc IJobRegistry
    function stakeRegistry() external view returns (address) {
        return address(_storage().stakes);
    }

    // Internals

    function _signed(address operator, bytes32 digest, bytes calldata signature, uint64 when) private view returns (bool) {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        return err == ECDSA.RecoverError.NoError && _storage().stakes.isSigner(operator, signer, when);
    }

    function _batch(address router, uint64 index) private view returns (Batch storage) {
        Batch[] storage all = _storage().batches[router];
        // INVARIANT: only what was committed can be read.
        if (index >= all.length) revert JobRegistry_UnknownBatch(router, index);
        return all[index];
    }

    function _finalBatch(address router, uint64 index) private view returns (Batch storage record) {
        record = _batch(router, index);
        // INVARIANT: no money moves on a batch that can still be challenged.
        if (block.timestamp < record.finalAt) revert JobRegistry_NotFinal(router, index, record.finalAt);
    }

    function _setChallengeWindow(uint64 window) private {
        // INVARIANT: there is always a window, and it never keeps money back for more than a day.
        if (window < SHORTEST_WINDOW || window > LONGEST_WINDOW) {
            revert JobRegistry_WindowOutOfBounds(window, SHORTEST_WINDOW, LONGEST_WINDOW);
        }
        _storage().challengeWindow = window;
        emit ChallengeWindowChanged(window);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}

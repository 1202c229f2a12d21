// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EIP712Upgradeable } from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { Governed } from "./Governed.sol";
import { ICourt } from "./interfaces/ICourt.sol";
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
    uint64 public constant LONGEST_HOLD = 14 days;

    /// A {Batch} as it is stored, with what courts did about it in the rest of its slot. `window` is the time from the commit until
    /// it can be final, `patience` the time from then until it is final whoever holds it, `holds` how many courts hold it.
    struct Record {
        bytes32 jobsRoot;
        bytes32 debitsRoot;
        bytes32 creditsRoot;
        bytes32 decisionsRoot;
        uint32 count;
        uint32 grants;
        uint32 providers;
        uint8 tiers;
        uint40 committedAt;
        uint24 window;
        uint24 patience;
        uint40 committedIn;
        uint16 epoch;
        uint8 holds;
        uint128 debited;
        uint128 credited;
    }

    /// What courts did about a router. `heldFrom` is one more than the lowest index that is held; zero if none is.
    struct Docket {
        uint16 epoch;
        uint64 heldFrom;
    }

    /// @custom:storage-location erc7201:infera.storage.JobRegistry
    struct Storage {
        IStakeRegistry stakes;
        uint32 challengeWindow;
        uint32 longestHold;
        mapping(address router => Record[]) batches;
        mapping(address router => Docket) dockets;
        mapping(address court => uint64) patience;
        address[] courts;
        mapping(address court => mapping(address router => mapping(uint256 batch => bool))) holds;
        uint64 earlierBound;
        uint64 earlierUntil;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.JobRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x741a154c7ff241e39578f753d689fb67ae76df06aeaa42482c2e6fb02e97bd00;

    modifier onlyCourt() {
        // INVARIANT: only a court named by the governor delays or voids batches; not the governor itself.
        if (_storage().patience[msg.sender] == 0) revert JobRegistry_NotCourt(msg.sender);
        _;
    }

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
        Record[] storage all = $.batches[header.router];
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
        uint256 latest = earliest + $.longestHold;
        if (header.index != 0) {
            Record storage last = all[header.index - 1];
            // INVARIANT: cumulative totals never decrease.
            if (header.debited < last.debited || header.credited < last.credited || header.fees < last.debited - last.credited) {
                revert JobRegistry_TotalsDecrease();
            }
            uint256 lastFinalAt = _finalAt(last);
            if (lastFinalAt > earliest) earliest = lastFinalAt;
            if (lastFinalAt + last.patience > latest) latest = lastFinalAt + last.patience;
        }
        finalAt = uint64(earliest);
        all.push(
            Record({
                jobsRoot: header.jobsRoot,
                debitsRoot: header.debitsRoot,
                creditsRoot: header.creditsRoot,
                decisionsRoot: header.decisionsRoot,
                count: header.count,
                grants: header.grants,
                providers: header.providers,
                tiers: header.tiers,
                committedAt: uint40(block.timestamp),
                window: uint24(earliest - block.timestamp),
                patience: uint24(latest - earliest),
                committedIn: uint40(block.number),
                epoch: $.dockets[header.router].epoch,
                holds: 0,
                debited: header.debited,
                credited: header.credited
            })
        );
        emit BatchCommitted(header.router, header.index, header, finalAt);
    }

    /// @inheritdoc IJobRegistry
    function setChallengeWindow(uint64 window) external onlyOwner {
        _rememberBound();
        _setChallengeWindow(window);
    }

    // Courts

    /// @inheritdoc IJobRegistry
    function setCourt(address court, bool allowed) external onlyOwner {
        Storage storage $ = _storage();
        _rememberBound();
        if (allowed) _nameCourt(court);
        else if ($.patience[court] != 0) _dismissCourt(court);
        uint256 longest;
        for (uint256 i; i < $.courts.length; ++i) {
            uint256 patience = $.patience[$.courts[i]];
            if (patience > longest) longest = patience;
        }
        $.longestHold = uint32(longest);
        emit CourtChanged(court, allowed);
    }

    /// @inheritdoc IJobRegistry
    function hold(address router, uint64 index) external onlyCourt returns (bool held) {
        Record storage record = _batch(router, index);
        if (block.timestamp >= _finalAt(record)) return false;
        mapping(uint256 batch => bool) storage own = _storage().holds[msg.sender][router];
        uint256 id = _holdId(index, record.epoch);
        if (own[id]) return true;
        own[id] = true;
        ++record.holds;
        Docket storage docket = _storage().dockets[router];
        if (docket.heldFrom == 0 || index < docket.heldFrom - 1) docket.heldFrom = index + 1;
        emit BatchHeld(router, index, msg.sender);
        return true;
    }

    /// @inheritdoc IJobRegistry
    function release(address router, uint64 index, uint16 epoch) external {
        Storage storage $ = _storage();
        Record[] storage all = $.batches[router];
        mapping(uint256 batch => bool) storage own = $.holds[msg.sender][router];
        uint256 id = _holdId(index, epoch);
        // Holds of a void batch went with it; the batch that has its index now is of another epoch.
        if (!own[id] || index >= all.length || all[index].epoch != epoch) return;
        own[id] = false;
        if (--all[index].holds == 0 && $.dockets[router].heldFrom == index + 1) _skipFree(router, index);
        emit BatchReleased(router, index, msg.sender);
    }

    /// @inheritdoc IJobRegistry
    function lapse(address router) external {
        uint64 heldFrom = _storage().dockets[router].heldFrom;
        if (heldFrom != 0) _skipFree(router, heldFrom - 1);
    }

    /// @inheritdoc IJobRegistry
    function rollback(address router, uint64 index) external onlyCourt returns (uint16 epoch) {
        Record storage record = _batch(router, index);
        // INVARIANT: what is final stays.
        if (_isFinal(router, index, record)) revert JobRegistry_AlreadyFinal(router, index);
        Storage storage $ = _storage();
        Record[] storage all = $.batches[router];
        uint64 count = uint64(all.length) - index;
        // Cut off rather than popped, so that no number of batches makes it too dear; a new batch overwrites all of an old one.
        assembly ("memory-safe") {
            sstore(all.slot, index)
        }
        Docket storage docket = $.dockets[router];
        epoch = ++docket.epoch;
        if (docket.heldFrom > index) docket.heldFrom = 0;
        emit BatchesVoided(router, index, count, epoch);
    }

    /// @inheritdoc IJobRegistry
    function isCourt(address account) external view returns (bool) {
        return _storage().patience[account] != 0;
    }

    /// @inheritdoc IJobRegistry
    function courts() external view returns (address[] memory) {
        return _storage().courts;
    }

    /// @inheritdoc IJobRegistry
    function isHeldBy(address court, address router, uint64 index) external view returns (bool) {
        return _storage().holds[court][router][_holdId(index, _batch(router, index).epoch)];
    }

    /// @inheritdoc IJobRegistry
    function epochOf(address router, uint64 index) external view returns (uint16) {
        return _batch(router, index).epoch;
    }

    // Batches

    /// @inheritdoc IJobRegistry
    function batchCount(address router) external view returns (uint64) {
        return uint64(_storage().batches[router].length);
    }

    /// @inheritdoc IJobRegistry
    function batch(address router, uint64 index) external view returns (Batch memory) {
        Record storage record = _batch(router, index);
        return Batch({
            jobsRoot: record.jobsRoot,
            debitsRoot: record.debitsRoot,
            creditsRoot: record.creditsRoot,
            decisionsRoot: record.decisionsRoot,
            count: record.count,
            grants: record.grants,
            providers: record.providers,
            tiers: record.tiers,
            committedAt: record.committedAt,
            finalAt: uint40(_finalAt(record)),
            committedIn: record.committedIn,
            debited: record.debited,
            credited: record.credited
        });
    }

    /// @inheritdoc IJobRegistry
    function finality(address router, uint64 index) external view returns (uint64 finalAt) {
        return _finality(router, index, _batch(router, index));
    }

    /// @inheritdoc IJobRegistry
    function isFinal(address router, uint64 index) external view returns (bool) {
        Record[] storage all = _storage().batches[router];
        return index < all.length && _isFinal(router, index, all[index]);
    }

    /// @inheritdoc IJobRegistry
    function newestFinal(address router) external view returns (bool exists, uint64 index) {
        Record[] storage all = _storage().batches[router];
        // Finality times never decrease and a hold covers all that follows, so the final batches are a prefix; find its end.
        uint256 low;
        uint256 high = all.length;
        while (low < high) {
            uint256 middle = (low + high) >> 1;
            if (_isFinal(router, uint64(middle), all[middle])) low = middle + 1;
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
        Record storage record = _finalBatch(router, index);
        return (record.debitsRoot, record.grants, record.committedAt);
    }

    /// @inheritdoc IJobRegistry
    function finalCredits(address router, uint64 index) external view returns (bytes32 creditsRoot, uint32 providers) {
        Record storage record = _finalBatch(router, index);
        return (record.creditsRoot, record.providers);
    }

    /// @inheritdoc IJobRegistry
    function verifyLeaf(address router, uint64 index, JobLeaf calldata leaf, uint32 position, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        Record storage record = _batch(router, index);
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
    function longestHold() external view returns (uint64) {
        return _storage().longestHold;
    }

    /// @inheritdoc IJobRegistry
    function finalityBound() public view returns (uint64 bound) {
        Storage storage $ = _storage();
        bound = uint64($.challengeWindow) + $.longestHold;
        if (block.timestamp < $.earlierUntil && $.earlierBound > bound) bound = $.earlierBound;
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

    function _batch(address router, uint64 index) private view returns (Record storage) {
        Record[] storage all = _storage().batches[router];
        // INVARIANT: only what was committed can be read.
        if (index >= all.length) revert JobRegistry_UnknownBatch(router, index);
        return all[index];
    }

    function _finalBatch(address router, uint64 index) private view returns (Record storage record) {
        record = _batch(router, index);
        // INVARIANT: no money moves on a batch that can still be challenged.
        if (!_isFinal(router, index, record)) {
            revert JobRegistry_NotFinal(router, index, _finality(router, index, record));
        }
    }

    function _isFinal(address router, uint64 index, Record storage record) private view returns (bool) {
        return block.timestamp >= _finality(router, index, record);
    }

    /// @dev The end of the window; of the court's patience if this batch or one before it is held. Neither ever decreases from one
    /// batch to the next, so whatever is before a final batch is final.
    function _finality(address router, uint64 index, Record storage record) private view returns (uint64) {
        uint64 heldFrom = _storage().dockets[router].heldFrom;
        uint256 finalAt = _finalAt(record);
        return uint64(heldFrom != 0 && index >= heldFrom - 1 ? finalAt + record.patience : finalAt);
    }

    function _finalAt(Record storage record) private view returns (uint256) {
        return uint256(record.committedAt) + record.window;
    }

    /// @dev Has holds begin with the first batch from `index` on that somebody holds and may still hold.
    function _skipFree(address router, uint256 index) private {
        Record[] storage all = _storage().batches[router];
        while (index < all.length && (all[index].holds == 0 || block.timestamp >= _finalAt(all[index]) + all[index].patience)) {
            ++index;
        }
        _storage().dockets[router].heldFrom = index < all.length ? uint64(index + 1) : 0;
    }

    function _holdId(uint64 index, uint16 epoch) private pure returns (uint256) {
        return uint256(epoch) << 64 | index;
    }

    function _nameCourt(address court) private {
        Storage storage $ = _storage();
        // INVARIANT: unbonding stake answers for as long as courts take, which the stake registry asks here.
        if ($.stakes.jobRegistry() != address(this)) revert JobRegistry_StakeUnaware(address($.stakes));
        uint64 patience = ICourt(court).longestHold();
        // INVARIANT: no court keeps money back for longer than two weeks.
        if (patience == 0 || patience > LONGEST_HOLD) revert JobRegistry_HoldOutOfBounds(court, patience, LONGEST_HOLD);
        if ($.patience[court] == 0) $.courts.push(court);
        $.patience[court] = patience;
    }

    function _dismissCourt(address court) private {
        address[] storage all = _storage().courts;
        uint256 i;
        while (all[i] != court) ++i;
        all[i] = all[all.length - 1];
        all.pop();
        delete _storage().patience[court];
    }

    /// @dev Batches that were committed under the present bound keep it; nothing that thaws may overtake them.
    function _rememberBound() private {
        Storage storage $ = _storage();
        uint64 bound = finalityBound();
        ($.earlierBound, $.earlierUntil) = (bound, uint64(block.timestamp) + bound);
    }

    function _setChallengeWindow(uint64 window) private {
        // INVARIANT: there is always a window, and it never keeps money back for more than a day.
        if (window < SHORTEST_WINDOW || window > LONGEST_WINDOW) {
            revert JobRegistry_WindowOutOfBounds(window, SHORTEST_WINDOW, LONGEST_WINDOW);
        }
        _storage().challengeWindow = uint32(window);
        emit ChallengeWindowChanged(window);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EIP712Upgradeable } from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { Governed } from "../Governed.sol";
import { ISlaRegistry } from "../interfaces/ISlaRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Role } from "../libraries/Types.sol";

/// @title SlaRegistry
/// @notice Keeps providers to the uptime they promised. See {ISlaRegistry}, which is its specification.
contract SlaRegistry is ISlaRegistry, Governed, EIP712Upgradeable {
    uint256 public constant PPM = 1_000_000;
    uint32 public constant LOWEST_UPTIME = 500_000;
    uint32 public constant HIGHEST_UPTIME = 999_990;
    uint32 public constant SHORTEST_WINDOW = 1 hours;
    uint32 public constant LONGEST_WINDOW = 30 days;
    bytes32 public constant REASON = "sla downtime";

    bytes32 private constant DOWNTIME_TYPEHASH = keccak256(
        "Downtime(address provider,uint64 start,uint32 window,address challenger,address validator,uint32 probes,uint32 failed,bytes32 evidence)"
    );

    /// @custom:storage-location erc7201:infera.storage.SlaRegistry
    struct Storage {
        IStakeRegistry stakes;
        Rule rule;
        mapping(address provider => Sla[]) slas;
        mapping(address provider => uint64) earliest;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.SlaRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xa5565396eeedd1db761c3b0b16684b5db4aea465073718a7e2e32e05e41fd600;

    function initialize(address governor, address stakeRegistry_, Rule calldata rule_) external initializer {
        // INVARIANT: the registry always knows whose stake answers for a promise.
        if (stakeRegistry_ == address(0)) revert SlaRegistry_ZeroAddress();
        __Ownable_init(governor);
        __EIP712_init("INFERA", "1");
        _storage().stakes = IStakeRegistry(stakeRegistry_);
        _setRule(rule_);
    }

    /// @inheritdoc ISlaRegistry
    function commit(uint32 uptimePpm, uint32 window) external returns (uint64 since) {
        Storage storage $ = _storage();
        // INVARIANT: a promise has stake that answers for it.
        if (!$.stakes.isActive(msg.sender, Role.Provider)) revert SlaRegistry_NotProvider(msg.sender);
        bool none = uptimePpm == 0 && window == 0;
        bool uptime = uptimePpm >= LOWEST_UPTIME && uptimePpm <= HIGHEST_UPTIME;
        // INVARIANT: a promise means something and can be kept.
        if (!none && !(uptime && window >= SHORTEST_WINDOW && window <= LONGEST_WINDOW)) {
            revert SlaRegistry_BadSla(uptimePpm, window);
        }
        Sla[] storage slas = $.slas[msg.sender];
        since = uint64(block.timestamp);
        if (slas.length != 0) {
            Sla storage last = slas[slas.length - 1];
            since = (last.since > since ? last.since : since) + last.window;
        }
        slas.push(Sla(uptimePpm, window, since));
        emit Committed(msg.sender, slas.length - 1, slas[slas.length - 1]);
    }

    /// @inheritdoc ISlaRegistry
    function claim(address provider, uint256 index, uint64 start, Report[] calldata reports, bytes[] calldata signatures)
        external
        returns (uint256 slashed)
    {
        Storage storage $ = _storage();
        Sla memory sla = _promiseAt(provider, index, start);
        uint64 end = start + sla.window;
        uint64 latest = end + $.rule.claimPeriod;
        // INVARIANT: only a window that is over is judged, and only while those concerned still have their logs and their stake.
        if (block.timestamp < end || block.timestamp > latest) revert SlaRegistry_OutOfTime(end, latest);
        // INVARIANT: one outage costs once, and nobody is slashed away window by window.
        if (start < $.earliest[provider]) revert SlaRegistry_CoolingDown(provider, $.earliest[provider]);
        uint64 jailed = $.stakes.jailedUntil(provider);
        // INVARIANT: whoever was kept out by a judgement does not owe its presence.
        if (jailed > start) revert SlaRegistry_KeptOut(provider, jailed);
        _requireQuorum(provider, start, sla, reports, signatures);
        $.earliest[provider] = end + $.rule.coolDown;
        slashed = $.stakes.slash(provider, Role.Provider, $.rule.slashBps, address(0), msg.sender, REASON);
        emit Broken(provider, start, msg.sender, slashed);
    }

    /// @inheritdoc ISlaRegistry
    function setRule(Rule calldata rule_) external onlyOwner {
        _setRule(rule_);
    }

    // Views

    /// @inheritdoc ISlaRegistry
    function reportDigest(address provider, uint64 start, uint32 window, address challenger, Report calldata report)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(DOWNTIME_TYPEHASH, provider, start, window, challenger, report)));
    }

    /// @inheritdoc ISlaRegistry
    function slasOf(address provider) external view returns (Sla[] memory) {
        return _storage().slas[provider];
    }

    /// @inheritdoc ISlaRegistry
    function earliestClaim(address provider) external view returns (uint64) {
        return _storage().earliest[provider];
    }

    /// @inheritdoc ISlaRegistry
    function rule() external view returns (Rule memory) {
        return _storage().rule;
    }

    /// @inheritdoc ISlaRegistry
    function stakeRegistry() external view returns (address) {
        return address(_storage().stakes);
    }

    // Internals

    function _promiseAt(address provider, uint256 index, uint64 start) private view returns (Sla memory sla) {
        Sla[] storage slas = _storage().slas[provider];
        if (index < slas.length) sla = slas[index];
        bool whole = index + 1 >= slas.length || slas[index + 1].since >= start + sla.window;
        // INVARIANT: a promise is held against its provider for windows that lie wholly within its time.
        if (sla.window == 0 || start < sla.since || !whole) revert SlaRegistry_NotPromised(provider, start);
    }

    function _requireQuorum(address provider, uint64 start, Sla memory sla, Report[] calldata reports, bytes[] calldata signatures)
        private
        view
    {
        uint256 stake;
        address previous;
        for (uint256 i; i < reports.length; ++i) {
            address validator = reports[i].validator;
            // INVARIANT: every validator is counted once, and nobody judges itself.
            if (validator <= previous || validator == provider) revert SlaRegistry_Unordered(validator);
            previous = validator;
            bytes32 digest = reportDigest(provider, start, sla.window, msg.sender, reports[i]);
            stake += _weigh(reports[i], digest, i < signatures.length ? signatures[i] : msg.data[:0], sla.uptimePpm);
        }
        Rule memory rule_ = _storage().rule;
        // INVARIANT: it takes many validators, with much to lose together, to have a provider slashed for what only they saw.
        if (reports.length < rule_.validators || stake < rule_.quorumStake) revert SlaRegistry_NoQuorum(reports.length, stake);
    }

    /// The stake behind a report that finds the promise broken.
    function _weigh(Report calldata report, bytes32 digest, bytes calldata signature, uint256 uptimePpm)
        private
        view
        returns (uint256 stake)
    {
        Storage storage $ = _storage();
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        bool signed = failure == ECDSA.RecoverError.NoError && $.stakes.operatorOf(signer) == report.validator;
        bool founded = report.probes >= $.rule.fewestProbes && report.failed <= report.probes;
        // INVARIANT: a report is signed by the present key of an active validator and rests on enough probes.
        if (!signed || !founded || !$.stakes.isActive(report.validator, Role.Validator)) {
            revert SlaRegistry_BadReport(report.validator);
        }
        // INVARIANT: each of the validators by itself found the promise broken.
        if (report.failed * PPM <= report.probes * (PPM - uptimePpm)) {
            revert SlaRegistry_Kept(report.validator, report.probes, report.failed);
        }
        (stake,,) = $.stakes.stakeOf(report.validator, Role.Validator);
    }

    function _setRule(Rule calldata next) private {
        bool quorum =
            next.quorumStake >= 1e18 && next.quorumStake <= 100_000_000e18 && next.validators >= 3 && next.validators <= 100;
        bool claims = next.fewestProbes >= 10 && next.fewestProbes <= 10_000 && next.slashBps >= 100 && next.slashBps <= 1_000;
        bool times =
            next.coolDown >= 1 days && next.coolDown <= 30 days && next.claimPeriod >= 1 hours && next.claimPeriod <= 7 days;
        // INVARIANT: no rule lets one or two validators judge, makes a promise cost more than a tenth a day, or makes it cost nothing.
        if (!quorum || !claims || !times) revert SlaRegistry_RuleOutOfBounds(next);
        _storage().rule = next;
        emit RuleChanged(next);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}

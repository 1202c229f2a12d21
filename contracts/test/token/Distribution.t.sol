// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { InferaGovernor } from "../../src/governance/InferaGovernor.sol";
import { VeINFR } from "../../src/governance/VeINFR.sol";
import { IDistribution } from "../../src/interfaces/IDistribution.sol";
import { IInferaGovernor } from "../../src/interfaces/IInferaGovernor.sol";
import { Distribution } from "../../src/token/Distribution.sol";
import { EcosystemVesting } from "../../src/token/EcosystemVesting.sol";
import { LockedLiquidity } from "../../src/token/LockedLiquidity.sol";
import { Vesting } from "../../src/token/Vesting.sol";
import { Fixture } from "../utils/Fixture.sol";

abstract contract DistributionFixture is Fixture {
    address internal timelock = actor("timelock");
    address internal foundation = actor("foundation");
    address internal launch = actor("launch");

    function plan() internal view returns (IDistribution.Plan memory) {
        return IDistribution.Plan({
            timelock: timelock,
            team: actor("team"),
            investors: actor("investors"),
            publicLaunch: launch,
            foundation: foundation,
            jobRegistry: actor("job registry"),
            reporter: address(0),
            quote: address(usdc),
            factory: actor("factory"),
            start: START,
            ecosystemDuration: 1826 days,
            ecosystemTarget: 1_000_000_000e6
        });
    }
}

contract Distribution_Constructor_Test is DistributionFixture {
    function test_constructor_allocations_addUp() external {
        Distribution d = new Distribution(plan());
        INFR token = INFR(d.infr());
        assertEq(token.totalSupply(), 1_000_000_000e18, "one billion");
        assertEq(
            d.ECOSYSTEM() + d.TEAM() + d.TREASURY() + d.INVESTORS() + d.PUBLIC_LAUNCH() + d.LIQUIDITY() + d.FOUNDATION(),
            token.SUPPLY(),
            "to the last unit"
        );
        assertEq(token.balanceOf(d.ecosystem()), 350_000_000e18, "ecosystem");
        assertEq(token.balanceOf(d.team()), 180_000_000e18, "team");
        assertEq(token.balanceOf(d.treasury()), 150_000_000e18, "treasury");
        assertEq(token.balanceOf(d.investors()), 150_000_000e18, "investors");
        assertEq(token.balanceOf(launch), 80_000_000e18, "launch");
        assertEq(token.balanceOf(d.liquidity()), 50_000_000e18, "liquidity");
        assertEq(token.balanceOf(foundation), 40_000_000e18, "foundation");
        assertEq(token.balanceOf(address(d)), 0, "nothing kept");
    }

    function test_constructor_terms_succeeds() external {
        Distribution d = new Distribution(plan());
        Vesting wallet = Vesting(payable(d.team()));
        assertEq(wallet.owner(), actor("team"), "team");
        assertEq(wallet.start(), START + 365 days, "12 months");
        assertEq(wallet.duration(), 1095 days, "36 months");
        wallet = Vesting(payable(d.investors()));
        assertEq(wallet.owner(), actor("investors"), "investors");
        assertEq(wallet.start(), START + 365 days, "12 months");
        assertEq(wallet.duration(), 730 days, "24 months");
        wallet = Vesting(payable(d.treasury()));
        assertEq(wallet.owner(), timelock, "treasury");
        assertEq(wallet.start(), START + 365 days, "12 months");
        assertEq(wallet.duration(), 0, "then all");
        EcosystemVesting ecosystem = EcosystemVesting(payable(d.ecosystem()));
        assertEq(ecosystem.owner(), timelock, "ecosystem");
        assertEq(ecosystem.infr(), d.infr(), "of INFR");
        assertEq(ecosystem.duration(), 1826 days, "five years");
        LockedLiquidity liquidity = LockedLiquidity(d.liquidity());
        assertEq(liquidity.owner(), timelock, "liquidity");
        assertEq(liquidity.infr(), d.infr(), "of INFR");
    }

    /// What circulates, year by year, when nothing of the ecosystem's is released.
    function test_constructor_schedule_succeeds() external {
        Distribution d = new Distribution(plan());
        InferaGovernor gov = governorOf(d);
        uint256[6] memory expected = [uint256(170), 170, 455, 590, 650, 650];
        for (uint256 year; year < 6; ++year) {
            vm.warp(START + year * 365 days + 1);
            assertEq(gov.circulatingSupply(block.timestamp - 1) / 1e24, expected[year] + (year == 1 ? 150 : 0), "millions");
        }
    }

    function test_constructor_zeroAddresses_revert() external {
        bytes memory reason = abi.encodeWithSelector(IDistribution.Distribution_ZeroAddress.selector);
        IDistribution.Plan memory p = plan();
        p.publicLaunch = address(0);
        expectRevert(reason);
        new Distribution(p);
        p = plan();
        p.foundation = address(0);
        expectRevert(reason);
        new Distribution(p);
        p = plan();
        p.team = address(0);
        vm.expectRevert();
        new Distribution(p);
    }

    function test_constructor_clockLongStarted_reverts() external {
        IDistribution.Plan memory p = plan();
        uint64[2] memory starts = [START - 90 days - 1, START + 90 days + 1];
        for (uint256 i; i < 2; ++i) {
            p.start = starts[i];
            expectRevert(
                abi.encodeWithSelector(
                    IDistribution.Distribution_StartOutOfBounds.selector, starts[i], START - 90 days, START + 90 days
                )
            );
            new Distribution(p);
        }
    }

    function governorOf(Distribution d) private returns (InferaGovernor) {
        IInferaGovernor.Setup memory s;
        (s.timelock, s.token, s.infr, s.locked) = (timelock, address(new VeINFR(d.infr())), d.infr(), d.lockedSupplies());
        (s.votingDelay, s.votingPeriod, s.voteExtension, s.proposalThreshold) = (1 days, 5 days, 2 days, 1e18);
        return InferaGovernor(payable(proxy(address(new InferaGovernor()), abi.encodeCall(InferaGovernor.initialize, (s)))));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Scores } from "../../src/reputation/Scores.sol";
import { Json } from "../utils/Json.sol";
import { Vectors } from "../vectors/Vectors.sol";

/// `WRITE_VECTORS=true bin/forge test --match-path 'test/reputation/*vectors*'` writes the file anew.
contract ReputationVectors_Test is Vectors {
    function test_reputation_json_succeeds() external {
        string[] memory fields = new string[](3);
        fields[0] = Json.field("rates", _rates());
        fields[1] = Json.field("decays", _decays());
        fields[2] = Json.field("moves", _moves());
        settle("reputation.json", string.concat("{", Json.join(fields, ",\n"), "}\n"));
    }

    function _rates() private pure returns (string memory) {
        uint64[9] memory tenures = [uint64(0), 1, 86_399, 15 days, 30 days - 1, 30 days, 100 days + 7, 180 days - 1, 180 days];
        uint32[6] memory reputations = [uint32(0), 1, 333_333, 500_000, 999_999, 1_000_000];
        uint32[4] memory bases = [uint32(0), 10_000, 20_000, 50_000];
        string[] memory items = new string[](tenures.length * reputations.length * bases.length);
        for (uint256 i; i < items.length; ++i) {
            items[i] = _rate(
                tenures[i % tenures.length],
                reputations[i / tenures.length % reputations.length],
                bases[i / tenures.length / reputations.length]
            );
        }
        return Json.list(items);
    }

    function _rate(uint256 tenure, uint256 reputation, uint256 base) private pure returns (string memory) {
        string[] memory fields = new string[](4);
        fields[0] = Json.field("tenure", Json.small(tenure));
        fields[1] = Json.field("reputation", Json.small(reputation));
        fields[2] = Json.field("base", Json.small(base));
        fields[3] = Json.field("rate", Json.small(Scores.samplingRate(tenure, reputation, base)));
        return Json.object(fields);
    }

    function _decays() private pure returns (string memory) {
        uint64[4] memory scores = [uint64(0), 300_000_000_001, 500_000_000_000, 1e12];
        uint64[6] memory times = [uint64(0), 1, 45 days, 90 days, 1_000 days + 11, 100_000 days];
        string[] memory items = new string[](24);
        for (uint256 i; i < 24; ++i) {
            string[] memory fields = new string[](4);
            (uint256 score, uint256 time) = (scores[i / 6], times[i % 6]);
            fields[0] = Json.field("score", Json.big(score));
            fields[1] = Json.field("seconds", Json.big(time));
            fields[2] = Json.field("halfLife", Json.small(90 days));
            fields[3] = Json.field("result", Json.big(Scores.decay(score, time, 90 days)));
            items[i] = Json.object(fields);
        }
        return Json.list(items);
    }

    function _moves() private pure returns (string memory) {
        uint64[4] memory scores = [uint64(0), 1, 500_000_000_000, 1e12];
        uint32[3] memory weights = [uint32(1_000), 20_000, 500_000];
        string[] memory items = new string[](24);
        for (uint256 i; i < 24; ++i) {
            string[] memory fields = new string[](4);
            (uint256 score, uint256 weight, bool up) = (scores[i / 6], weights[i % 3], i % 6 < 3);
            fields[0] = Json.field("score", Json.big(score));
            fields[1] = Json.field("upheld", up ? "true" : "false");
            fields[2] = Json.field("weight", Json.small(weight));
            fields[3] = Json.field("result", Json.big(Scores.move(score, up, weight)));
            items[i] = Json.object(fields);
        }
        return Json.list(items);
    }
}

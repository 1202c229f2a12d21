"""What docs/protocol/governance.md tells one to type, typed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from infera_plugins.chains.evm.commands.gov_propose import read_file

if TYPE_CHECKING:
    from conftest import Town

PAGE = Path(__file__).parents[4] / "docs" / "protocol" / "governance.md"
SECTION = PAGE.read_text("utf-8").partition("## From the command line")[2]
KEYS = {"alice": "whale", "bob": "minnow"}
WAITS = {
    "# once voting has begun": "voting_from",
    "# once voting is over": "voting_until",
    "# once it has waited in the timelock": "executable_from",
}


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", SECTION, re.M | re.S)
    assert found is not None
    return found[1]


def test_the_commands_of_the_page(town: Town) -> None:
    for holder in ("shark", "minnow"):
        town.sent("lock", "400000", "--for", "4y", by=holder)
    proposal, typed = "", 0
    for line in block("sh").splitlines():
        if line in WAITS:
            town.until(town.json("gov", "show", proposal)[WAITS[line]])
            continue
        words = [KEYS.get(w, w) for w in shlex.split(line, comments=True)]
        assert words[0] == "infera"
        place = words.index("--rpc")  # the town's own
        words[place : place + 2] = []
        said = town(*(w.replace("$ID", proposal) for w in words[1:]))
        assert said
        typed += 1
        if "propose" in words:
            proposal = town.json("gov", "list")["proposals"][0]["id"]
    assert typed == 10
    assert town.json("gov", "show", proposal)["state"] == "executed"


def test_the_file_of_the_page(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "proposal.yaml"
    file.write_text(block("yaml"))
    contracts = json.loads((town.home / "contracts.json").read_text())["contracts"]
    title, _, actions = read_file(file, contracts)
    assert title == "Another challenge window"
    assert [a.target for a in actions] == [contracts["JobRegistry"], contracts["InferaGovernor"]]
    town.lock_all()
    dry = town.json("gov", "propose", "--file", str(file), "--key", "whale", "--dry-run")
    assert [a["function"] for a in dry["actions"]] == [
        "setChallengeWindow(uint64)", "setParameterCall(address,bytes4,bool)"
    ]  # fmt: skip
    for text, words in (("- 1", "must have title"), ("title: [", "holds no proposal"),
                        ("title: 1\ncalls: []", "must be texts"),
                        ("{title: a, calls: [], gas: 1}", "and nothing else")):  # fmt: skip
        file.write_text(text)
        said = town.refused("propose", "--file", str(file), by="whale")
        assert words in said
        assert "proposal_malformed" in said
    missing = str(tmp_path / "none")
    assert "file_unreadable" in town.refused("propose", "--file", missing, by="whale")

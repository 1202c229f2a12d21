"""Write the typed Python bindings of the contracts: a class a contract, from ABI and NatSpec.

`build.py` calls this with what the compiler said. The text depends on that alone, and is laid out
the way `ruff format` would.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 100
BINDINGS = (
    Path(__file__).resolve().parent.parent.parent / "plugins/infera_plugins/chains/evm/bindings"
)
TYPES = "types"
TAKEN = {"address", "contract", "creation", "initialization"}
"""Names that a contract's class has from its base, or gets besides its functions."""

_BORDERS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ARRAY = re.compile(r"\[\d*\]$")

Item = dict[str, Any]


def snake(name: str) -> str:
    """`finalAt` as `final_at`; the same rule is in the plugin's binding.py."""
    return _BORDERS.sub("_", name).lower().strip("_")


def safe(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def upper_first(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.strip("_").split("_"))


def first_sentence(text: str) -> str:
    """The first sentence of a comment, without NatSpec's braces."""
    words = " ".join(text.replace("\\", "/").replace('"', "'").split())
    found = re.match(r"(.+?[.!?])(\s|$)(?!\()", words)
    sentence = re.sub(r"\{([^}]*)\}", r"`\1`", found.group(1) if found else words)
    return sentence if not sentence or sentence[-1] in ".!?" else sentence + "."


def doc(text: str, indent: str) -> list[str]:
    """A docstring, in one line if it fits."""
    line = f'{indent}"""{text}"""'
    if len(line) <= WIDTH:
        return [line]
    body = textwrap.wrap(
        text, WIDTH - len(indent) - 4, initial_indent='"""', break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [indent + part for part in body] + [f'{indent}"""']


def fold(head: str, items: list[str], tail: str, indent: str) -> list[str]:
    """`head(items)tail` the way ruff lays it out: on one line, on one of their own, or one each."""
    if len(line := f"{indent}{head}({', '.join(items)}){tail}") <= WIDTH:
        return [line]
    inner = indent + "    "
    if len(line := f"{inner}{', '.join(items)}") <= WIDTH:
        return [f"{indent}{head}(", line, f"{indent}){tail}"]
    return [f"{indent}{head}(", *(f"{inner}{item}," for item in items), f"{indent}){tail}"]


@dataclass(frozen=True)
class Definition:
    """A struct or an enum in the sources."""

    scope: str
    """The contract, or for one outside of contracts the file, that defines it."""
    members: tuple[str, ...]
    doc: str


@dataclass
class Facts:
    """What the compiler knows besides the ABI: where structs and enums are defined, and how."""

    found: dict[tuple[str, str], list[Definition]] = field(default_factory=dict)
    """By "struct" or "enum" and the name in Solidity, which two files may both use."""

    @classmethod
    def of(cls, asts: list[Item]) -> Facts:
        facts = cls()
        for ast in asts:
            facts._read(ast, Path(ast["absolutePath"]).stem)
        return facts

    def _read(self, node: Item, scope: str) -> None:
        word = {"EnumDefinition": "enum", "StructDefinition": "struct"}.get(node["nodeType"])
        if word is not None:
            comment = (node.get("documentation") or {}).get("text", "")
            members = tuple(member["name"] for member in node["members"])
            made = Definition(scope, members, first_sentence(comment.replace("@dev", "")))
            known = self.found.setdefault((word, node["canonicalName"]), [])
            if made not in known:
                known.append(made)
        for child in node.get("nodes", []):
            inside = node["nodeType"] == "ContractDefinition"
            self._read(child, node["name"] if inside else scope)

    def definition(self, kind: Kind) -> Definition | None:
        """The one definition of a type; None without its source."""
        members = tuple(name for name, _ in kind.fields)
        known = self.found.get((kind.word, kind.name), [])
        fitting = [d for d in known if kind.word == "enum" or d.members == members]
        if len(fitting) > 1:
            raise SystemExit(f"two definitions of {kind.word} {kind.name} cannot be told apart")
        return fitting[0] if fitting else None


class Kind(NamedTuple):
    """A struct or an enum of an ABI. Files may use one name for different ones."""

    word: str
    """`struct` or `enum`."""
    name: str
    """In Solidity, with the contract that defines it, if one does."""
    fields: tuple[tuple[str, str], ...]
    """(name, type) of a struct's."""

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @classmethod
    def of(cls, item: Item) -> Kind | None:
        """That of a parameter; None if it is of another type."""
        word, _, rest = item.get("internalType", "").partition(" ")
        fields = tuple((c["name"], abi_type(c)) for c in item.get("components", ()))
        return cls(word, rest.split("[")[0], fields) if word in ("struct", "enum") else None


class Catalogue:
    """All structs, enums and shared events, and the module that each is written to."""

    def __init__(self, abis: dict[str, list[Item]], facts: Facts) -> None:
        self.facts = facts
        self.contracts = list(abis)
        self.structs: dict[Kind, list[Item]] = {}
        self.order: list[Kind] = []
        for abi in abis.values():
            for entry in abi:
                if entry["type"] != "error":
                    for item in [*entry.get("inputs", []), *entry.get("outputs", [])]:
                        self._learn(item)
        self.names = {kind: self._name(kind) for kind in self.order}
        events = Counter(
            event_key(entry) for abi in abis.values() for entry in abi if entry["type"] == "event"
        )
        self.shared = {key for key, count in events.items() if count > 1}

    def _learn(self, item: Item) -> None:
        kind = Kind.of(item)
        for component in item.get("components", []):
            self._learn(component)
        # Without the source of an enum its values are plain numbers.
        unknown = "components" not in item and not (kind and self.facts.definition(kind))
        if kind is None or kind in self.order or unknown:
            return
        if "components" in item:
            self.structs[kind] = item["components"]
        self.order.append(kind)

    def _name(self, kind: Kind) -> str:
        """A type's name in Python: after its scope too, where another in sight has the same."""
        rivals = [other for other in self.order if other != kind and other.short == kind.short]
        sight = {self.module(kind), TYPES}
        if not any(self.module(kind) == TYPES or self.module(r) in sight for r in rivals):
            return kind.short
        known = self.facts.definition(kind)
        scope = known.scope if known else kind.name.rpartition(".")[0]
        return re.sub(r"^I(?=[A-Z][a-z])", "", scope) + kind.short

    def module(self, kind: Kind) -> str:
        """Where a type goes: to the contract whose interface declares it, else to all's."""
        owner = kind.name.partition(".")[0] if "." in kind.name else ""
        for contract in (owner, owner.removeprefix("I")):
            if contract in self.contracts:
                return snake(contract)
        return TYPES

    def python(self, item: Item, used: set[str], given: bool = False) -> str:
        """The Python type of a parameter; `given`: as an argument, else as a value."""
        kind: str = item["type"]
        if _ARRAY.search(kind):
            internal = item.get("internalType", "")
            inner = {
                **item, "type": _ARRAY.sub("", kind), "internalType": _ARRAY.sub("", internal)
            }  # fmt: skip
            of = self.python(inner, used, given)
            if given:
                used.add("Sequence")
            return f"Sequence[{of}]" if given else f"tuple[{of}, ...]"
        known = Kind.of(item)
        if known in self.names:
            used.add(f"{self.module(known)}.{self.names[known]}")
            return self.names[known]
        if kind == "address":
            used.add("Address")
            return "Address"
        if kind.startswith("bytes"):
            return "bytes"
        return {"bool": "bool", "string": "str"}.get(kind, "int")

    def type_text(self, kind: Kind, used: set[str]) -> list[str]:
        """The class of a struct or an enum."""
        name, known = self.names[kind], self.facts.definition(kind)
        about = (known.doc if known else "") or f"`{kind.name}` of the contracts."
        if known and kind.word == "enum":
            used.add("IntEnum")
            members = [f"    {safe(member)} = {n}" for n, member in enumerate(known.members)]
            return [f"class {name}(IntEnum):", *doc(about, "    "), "", *members]
        used |= {"dataclass", "Struct"}
        members = [f"    {safe(c['name'])}: {self.python(c, used)}" for c in self.structs[kind]]
        return [
            "@dataclass(frozen=True, slots=True)", f"class {name}(Struct):", *doc(about, "    "),
            "", *members,
        ]  # fmt: skip


def event_key(entry: Item) -> tuple[Any, ...]:
    """What makes two events the same; of tuples the ABI's type does not tell."""
    kinds = ((i["name"], i.get("internalType", i["type"]), i["indexed"]) for i in entry["inputs"])
    return (entry["name"], *kinds)


def signature(entry: Item) -> str:
    return f"{entry['name']}({','.join(abi_type(i) for i in entry['inputs'])})"


def plainly(entry: Item) -> str:
    """What is said of a function without a comment."""
    return f"`{entry['name']}({', '.join(i['name'] or i['type'] for i in entry['inputs'])})`."


def abi_type(item: Item) -> str:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(abi_type(c) for c in item['components'])}){kind.removeprefix('tuple')}"


def event_text(
    catalogue: Catalogue, contract: str, entry: Item, about: str, used: set[str]
) -> list[str]:
    """The class of an event."""
    used |= {"dataclass", "ClassVar", "Event"}
    members = []
    for item in entry["inputs"]:
        hashed = item["indexed"] and (
            item["type"] in ("string", "bytes", "tuple") or item["type"].endswith("]")
        )
        members.append(
            f"    {safe(item['name'])}: {'bytes' if hashed else catalogue.python(item, used)}"
        )
    return [
        "@dataclass(frozen=True, slots=True)",
        f"class {entry['name']}(Event):",
        *doc(about or plainly(entry), "    "),
        "",
        f'    EVENT: ClassVar = ("{contract}", "{entry["name"]}")',
        *members,
    ]


class Writer:
    """The module of one contract."""

    def __init__(self, catalogue: Catalogue, contract: str, output: Item) -> None:
        self.catalogue = catalogue
        self.contract = contract
        self.abi: list[Item] = output["abi"]
        self.user: Item = output.get("userdoc", {})
        self.dev: Item = output.get("devdoc", {})
        self.used: set[str] = {"Contract"}
        self.results: list[list[str]] = []
        self.names: set[str] = set(TAKEN)
        functions = [e for e in self.abi if e["type"] == "function"]
        self.overloads: dict[str, list[Item]] = {}
        for entry in functions:
            self.overloads.setdefault(entry["name"], []).append(entry)
        self.mixed = [name for name in self.overloads if not name.isupper()]

    def comment(self, kind: str, key: str) -> str:
        user = self.user.get(kind, {}).get(key, {})
        dev = self.dev.get(kind, {}).get(key, {})
        return first_sentence(user.get("notice") or dev.get("details") or "")

    def arguments(self, items: list[Item]) -> tuple[list[str], list[str]]:
        """(declarations, names) of parameters."""
        names = [safe(snake(i["name"]) or f"arg{n}") for n, i in enumerate(items)]
        if len(set(names)) < len(names):
            raise SystemExit(f"{self.contract}: two parameters are called alike: {names}")
        kinds = (self.catalogue.python(i, self.used, given=True) for i in items)
        return [f"{n}: {k}" for n, k in zip(names, kinds, strict=True)], names

    def method_name(self, entry: Item) -> str:
        """An overload with more parameters is named after those the shortest has not."""
        rivals = self.overloads[entry["name"]]
        name = snake(entry["name"])
        shortest = min(rivals, key=lambda e: (len(e["inputs"]), signature(e)))
        if entry is not shortest:
            common = {i["name"] for i in shortest["inputs"]}
            extra = [i["name"] or i["type"] for i in entry["inputs"] if i["name"] not in common]
            name = "_".join([name, *map(snake, extra)])
        if entry["name"].isupper() and entry["name"].lower() in map(snake, self.mixed):
            name += "_constant"
        name = safe(name)
        if name in self.names:
            raise SystemExit(f"{self.contract}.{entry['name']}: {name} is taken")
        self.names.add(name)
        return name

    def result(self, entry: Item) -> str:
        """The type that a view returns; several outputs get a class of their own."""
        outputs = entry["outputs"]
        if len(outputs) == 1:
            return self.catalogue.python(outputs[0], self.used)
        self.used.add("NamedTuple")
        name = upper_first(entry["name"]) + "Result"
        members = []
        for number, output in enumerate(outputs):
            label = safe(snake(output["name"]) or f"value{number}")
            label += "_" * (label in ("count", "index"))
            members.append(f"    {label}: {self.catalogue.python(output, self.used)}")
        about = f"What `{entry['name']}` returns."
        self.results.append([f"class {name}(NamedTuple):", *doc(about, "    "), "", *members])
        return name

    def function(self, entry: Item) -> list[str]:
        declared, names = self.arguments(entry["inputs"])
        name = self.method_name(entry)
        key = entry["name"] if len(self.overloads[entry["name"]]) == 1 else signature(entry)
        about = self.comment("methods", signature(entry)) or plainly(entry)
        passed = [f'"{key}"', *names]
        if entry["stateMutability"] in ("view", "pure"):
            kind = self.result(entry)
            head = fold(f"async def {name}", ["self", *declared], f" -> {kind}:", "    ")
            body = fold("return await self._view", [kind, *passed], "", "        ")
        else:
            self.used.add("Call")
            if entry["stateMutability"] == "payable":
                declared, passed = [*declared, "*", "wei: int = 0"], [*passed, "wei=wei"]
            head = fold(f"def {name}", ["self", *declared], " -> Call:", "    ")
            body = fold("return self._call", passed, "", "        ")
        return ["", *head, *doc(about, "        "), *body]

    def builder(self, name: str, inputs: list[Item], about: str, call: str) -> list[str]:
        declared, names = self.arguments(inputs)
        head = fold(f"def {name}", ["cls", *declared], " -> bytes:", "    ")
        passed = ['"initialize"', *names] if call == "_encode" else names
        body = fold(f"return cls.{call}", passed, "", "        ")
        return ["", "    @classmethod", *head, *doc(about, "        "), *body]

    def body(self) -> list[str]:
        """The contract's class."""
        title = self.user.get("notice") or self.dev.get("details") or self.dev.get("title")
        about = first_sentence(title or f"The contract `{self.contract}`")
        lines = [f"class {self.contract}(Contract):", *doc(about, "    "), ""]
        lines.append(f'    contract = "{self.contract}"')
        built = [e for e in self.abi if e["type"] == "constructor"]
        lines += self.builder(
            "creation", built[0]["inputs"] if built else [],
            "Creation code with its constructor's arguments.", "_creation",
        )  # fmt: skip
        for entry in self.abi:
            if entry["type"] == "function" and entry["name"] == "initialize":
                about = "Calldata of `initialize`, which the proxy in front is created with."
                lines += self.builder("initialization", entry["inputs"], about, "_encode")
            elif entry["type"] == "function":
                lines += self.function(entry)
        return lines

    def text(self) -> str:
        module = snake(self.contract)
        catalogue = self.catalogue
        types = [
            catalogue.type_text(kind, self.used)
            for kind in catalogue.order
            if catalogue.module(kind) == module
        ]
        events = []
        for entry in self.abi:
            if entry["type"] == "event" and event_key(entry) not in catalogue.shared:
                about = self.comment("events", signature(entry))
                events.append(event_text(catalogue, self.contract, entry, about, self.used))
        contract = self.body()
        parts = [*types, *events, *self.results, contract]
        return assemble(f"`{self.contract}`", catalogue, module, parts, self.used)


def assemble(
    about: str, catalogue: Catalogue, module: str, parts: list[list[str]], used: set[str]
) -> str:
    """A module's text: what it imports, and its classes."""
    defined = [m[1] for part in parts for line in part if (m := re.match(r"class (\w+)", line))]
    placed = [entry.partition(".") for entry in sorted(used) if "." in entry]
    foreign = [(home, name) for home, _, name in placed if home != module]
    seen = Counter([*defined, *(name for _, name in foreign)])
    twice = [name for name, count in seen.items() if count > 1]
    if twice:
        raise SystemExit(f"{module}: {', '.join(twice)} would be defined twice")
    standard = []
    if "Sequence" in used:
        standard.append("from collections.abc import Sequence")
    if "dataclass" in used:
        standard.append("from dataclasses import dataclass")
    if "IntEnum" in used:
        standard.append("from enum import IntEnum")
    typing = sorted(used & {"ClassVar", "NamedTuple"})
    if typing:
        standard.append(f"from typing import {', '.join(typing)}")
    own = ["from infera.types import Address"] if "Address" in used else []
    near = {"..binding": sorted(used & {"Call", "Contract", "Event", "Struct"})}
    for home, name in foreign:
        near.setdefault(f".{home}", []).append(name)
    local = []
    for source, wanted in sorted(near.items()):
        line = f"from {source} import {', '.join(sorted(wanted))}"
        if len(line) > WIDTH:
            inner = "\n".join(f"    {name}," for name in sorted(wanted))
            line = f"from {source} import (\n{inner}\n)"
        local.append(line)
    groups = ["\n".join(group) for group in (standard, own, local) if group]
    head = f'"""{about}, generated by contracts/script/bindings.py."""'
    classes = ["\n".join(part) for part in parts]
    return "\n\n\n".join(["\n\n".join([head, *groups]), *classes]) + "\n"


def generate(outputs: dict[str, Item], asts: list[Item]) -> dict[str, str]:
    """All modules by file name; `outputs` has ABI and NatSpec by contract."""
    catalogue = Catalogue({name: o["abi"] for name, o in outputs.items()}, Facts.of(asts))
    about = (
        "The contracts as typed Python, a module each; generated by contracts/script/bindings.py."
    )
    texts = {"__init__.py": f'"""{about}"""\n'}
    used: set[str] = set()
    parts = [catalogue.type_text(k, used) for k in catalogue.order if catalogue.module(k) == TYPES]
    seen: set[tuple[Any, ...]] = set()
    for contract, output in outputs.items():
        for entry in output["abi"]:
            if entry["type"] == "event" and event_key(entry) in catalogue.shared - seen:
                seen.add(event_key(entry))
                comment = Writer(catalogue, contract, output).comment("events", signature(entry))
                parts.append(event_text(catalogue, contract, entry, comment, used))
    texts[f"{TYPES}.py"] = assemble("What several contracts share", catalogue, TYPES, parts, used)
    for contract, output in outputs.items():
        texts[f"{snake(contract)}.py"] = Writer(catalogue, contract, output).text()
    return texts


def stale(texts: dict[str, str], folder: Path = BINDINGS) -> list[str]:
    """What differs between the texts and the files."""
    lines = []
    for name, text in texts.items():
        path = folder / name
        if not path.exists():
            lines.append(f"bindings/{name}: is not committed")
        elif path.read_text(encoding="utf-8") != text:
            lines.append(f"bindings/{name}: differs")
    strangers = {path.name for path in folder.glob("*.py")} - texts.keys()
    return lines + [f"bindings/{name}: of no contract" for name in sorted(strangers)]


def write(texts: dict[str, str], folder: Path = BINDINGS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.py"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")

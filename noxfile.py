#!/usr/bin/env python3
"""Everything one does in a checkout, and the way into it.

    python3 noxfile.py up      run a whole network on this machine
    python3 noxfile.py test    run the tests

needs Python 3.11 or newer with `venv`, and a C compiler (without one, slower code is used). The
first run makes `.venv` and installs the pinned, hashed packages of configs/locks/dev.txt; later
runs find that done. Those who have nox can say `nox -s test` instead.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = ROOT / "configs" / "locks" / "dev.txt"
CONTRACTS = ROOT / "contracts"
MINIMUM = (3, 11)

Task = Callable[[list[str]], None]
TASKS: dict[str, Task] = {}


def task(function: Task) -> Task:
    """Make a function a task (and a nox session) of its name."""
    TASKS[function.__name__.strip("_")] = function
    return function


# -- tasks -----------------------------------------------------------------------------------------


@task
def up(args: list[str]) -> None:
    """Run a whole network on this machine; `--help` lists the options."""
    python("-m", "infera.cli", "up", *args)


@task
def test(args: list[str]) -> None:
    """Run the tests; arguments go to pytest. PostgreSQL is started for them if it is installed."""
    with postgresql(args):
        python("-m", "pytest", *args)


@task
def lint(args: list[str]) -> None:
    """Check style and formatting."""
    python("-m", "ruff", "check", *args)
    python("-m", "ruff", "format", "--check", *args)


@task
def types(args: list[str]) -> None:
    """Check types."""
    python("-m", "mypy", *args)


@task
def imports(args: list[str]) -> None:
    """Check who imports whom."""
    run([str(BIN / "lint-imports"), *args])


@task
def artifacts(args: list[str]) -> None:
    """Check that the committed contract artifacts are what the sources compile to (needs node)."""
    npm_packages()
    python(str(CONTRACTS / "script" / "build.py"), *(args or ["--check"]))


@task
def contracts(args: list[str]) -> None:
    """Run the contracts' own tests (needs node)."""
    npm_packages()
    python(str(CONTRACTS / "script" / "check.py"))
    run(["node", str(CONTRACTS / "bin" / "forge"), "test", *args], folder=CONTRACTS)


@task
def attacks(args: list[str]) -> None:
    """Take each defence of the contracts away and see its tests fail (slow; needs node)."""
    npm_packages()
    python(str(CONTRACTS / "script" / "attacks.py"), *args)


@task
def mutate(args: list[str]) -> None:
    """Break the contracts in small ways and see whether a test notices (slow; needs node)."""
    npm_packages()
    python(str(CONTRACTS / "script" / "mutate.py"), *args)


@task
def slither(args: list[str]) -> None:
    """Analyse the contracts statically; the tool gets an environment of its own (needs node)."""
    npm_packages()
    program = tool("slither", "slither-analyzer==0.11.6", "crytic-compile==0.4.2")
    python(str(CONTRACTS / "script" / "slither.py"), program, *args)


@task
def halmos(args: list[str]) -> None:
    """Check the contracts' arithmetic symbolically; the tool gets its own environment, too."""
    npm_packages()
    python(str(CONTRACTS / "script" / "halmos.py"), tool("halmos", "halmos==0.3.3"), *args)


@task
def bench(args: list[str]) -> None:
    """Print what is measured on this machine; nothing is asserted."""
    for path in sorted(p for s in ("ext", "core", "plugins") for p in (ROOT / s).rglob("bench.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts[1:])
        say(f"bench {module}")
        python("-m", module, *args)
    say("bench the whole path")
    python(str(ROOT / "tests" / "bench" / "overhead.py"))


@task
def docs(args: list[str]) -> None:
    """Check that every hook, setting, error and check is documented, and that the docs' commands
    work.
    """
    python("-m", "pytest", "tests/docs", *args)


@task
def lock(args: list[str]) -> None:
    """Pin the newest packages that fit pyproject.toml (needs uv and an index)."""
    text = subprocess.run(
        [
            *(shutil.which("uv", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}") or "uv",),
            *("pip", "compile", "--universal", "--generate-hashes", "--python-version", "3.11"),
            *("--no-header", "--no-annotate", "--quiet", "--extra", "dev", *args, "pyproject.toml"),
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    LOCK.write_text(
        "# Every package of a development environment, with the hashes of its files.\n"
        "# Written by `python3 noxfile.py lock`; not edited by hand.\n" + text
    )
    say(f"wrote {LOCK.relative_to(ROOT)}")


# -- a database for the tests ----------------------------------------------------------------------

POSTGRES_VARIABLE = "INFERA_TEST_POSTGRES"
POSTGRES_TESTS = ROOT / "tests" / "unit" / "state" / "test_postgres.py"


@contextmanager
def postgresql(args: list[str]) -> Iterator[None]:
    """An empty PostgreSQL server of this run alone, if one is installed and the tests may use it.

    It listens on a socket in a folder of mode 0700, on no port.
    """
    named = [ROOT / arg.partition("::")[0] for arg in args]
    named = [path for path in named if path.exists()]
    if POSTGRES_VARIABLE in os.environ or not (
        not named or any(POSTGRES_TESTS.is_relative_to(path) for path in named)
    ):
        yield
        return
    programs = postgresql_programs()
    if programs is None:
        say("PostgreSQL is not installed: its tests are left out")
        yield
        return
    with tempfile.TemporaryDirectory(prefix="infera-pg-") as name:
        folder, data = Path(name), str(Path(name) / "data")
        owner: dict[str, Any] = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # the server refuses to run as root
            owner = server_user()
            os.chown(folder, owner["user"], owner["group"])

        def server(program: str, *rest: str) -> bool:
            with (folder / "log").open("ab") as log:
                command = [str(programs / program), "-D", data, *rest]
                options: dict[str, Any] = {
                    "cwd": folder,
                    "stdin": subprocess.DEVNULL,
                    "stdout": log,
                    "stderr": log,
                }
                try:
                    return subprocess.run(command, **options, **owner).returncode == 0
                except OSError as error:  # such as a folder that the other user may not enter
                    log.write(f"{program}: {error}\n".encode())
                    return False

        settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        prepare = ("-U", "infera", "-A", "trust", "-E", "UTF8", "--no-sync")
        start = ("-w", "-t", "60", "-l", str(folder / "server.log"), "-o", settings, "start")
        try:
            if server("initdb", *prepare) and server("pg_ctl", *start):
                say("PostgreSQL runs for these tests")
                os.environ[POSTGRES_VARIABLE] = f"postgresql://infera@/postgres?host={folder}"
            else:
                logs = [folder / "log", folder / "server.log"]
                tail = [line for log in logs if log.exists() for line in read_lines(log)][-5:]
                say("PostgreSQL does not start: its tests are left out\n   " + "\n   ".join(tail))
            yield
        finally:
            os.environ.pop(POSTGRES_VARIABLE, None)
            server("pg_ctl", "-w", "-m", "immediate", "stop")


def postgresql_programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    debian = Path("/usr/lib/postgresql")
    versions = [p.parent for p in debian.glob("*/bin/initdb") if p.parts[-3].isdigit()]
    on_path = shutil.which("initdb")
    found = sorted(versions, key=lambda folder: int(folder.parts[-2]))
    return found[-1] if found else Path(on_path).resolve().parent if on_path else None


def server_user() -> dict[str, Any]:
    """Whom root runs a server as: `postgres`, or `nobody`."""
    import pwd

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def read_lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines()


# -- the way in ------------------------------------------------------------------------------------


def bootstrap() -> None:
    """Make the environment, or what is missing of it."""
    if sys.version_info < MINIMUM:
        version = ".".join(map(str, MINIMUM))
        stop(
            f"Python {version} or newer is needed; this is {sys.version.split()[0]}",
            f"install it and run `python{version} noxfile.py ...`",
        )
    make_venv()
    done = Stamps(VENV / ".infera-steps")
    if done.outdated("packages", [LOCK]):
        install_packages()
        done.mark("packages", [LOCK])
    sources = build_inputs()
    if done.outdated("project", sources):
        say("building and installing infera (the C extension takes about a minute)")
        pip("install", "--no-build-isolation", "--no-deps", "--quiet", "--editable", str(ROOT))
        done.mark("project", sources)


def make_venv() -> None:
    """A virtual environment with pip; one that cannot run is made anew."""
    if PYTHON.exists() and quiet([str(PYTHON), "-m", "pip", "--version"]):
        return
    if not quiet([sys.executable, "-c", "import ensurepip, venv"]):
        stop(
            "this Python cannot make virtual environments",
            "on Debian or Ubuntu: apt-get install python3-venv",
        )
    say(f"making {VENV.name} with Python {sys.version.split()[0]}")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def install_packages() -> None:
    """Install the lock. pip's log goes by as one counter; it is shown when something fails."""
    total = sum(1 for line in LOCK.read_text().splitlines() if "==" in line)
    say(f"installing up to {total} pinned packages")
    command = [str(PYTHON), "-m", "pip", "install", *PIP, "--require-hashes", "-r", str(LOCK)]
    log: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.append(line)
            if line.startswith(("Collecting ", "Requirement already")):
                seen += 1
                progress(f"{seen} looked at: {line.split()[1 if line[0] == 'C' else 3]}", seen)
            elif line.startswith("Installing collected"):
                progress("copying files", 0)
    if sys.stdout.isatty():
        print()
    if process.returncode:
        sys.stderr.write("".join(log[-30:]))
        stop("pip could not install the packages", "its last lines are above")


def npm_packages() -> None:
    """The contracts' compiler and libraries, from their own lock."""
    if shutil.which("npm") is None:
        stop("the contracts' tools need node and npm", "install Node.js 20 or newer")
    done = Stamps(CONTRACTS / "node_modules" / ".infera-steps")
    inputs = [CONTRACTS / "package-lock.json"]
    if done.outdated("packages", inputs):
        say("installing the contracts' tools")
        # The programs are in packages of their own: no package needs to run a script.
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder=CONTRACTS)
        done.mark("packages", inputs)


def tool(name: str, *packages: str) -> str:
    """A program whose packages do not go together with the project's, in `.nox/NAME`."""
    folder = ROOT / ".nox" / name
    program = folder / BIN.name / name
    wanted = "\n".join((sys.version, *packages))
    stamp = folder / "packages"
    if not (stamp.exists() and stamp.read_text() == wanted and program.exists()):
        say(f"installing {' '.join(packages)}")
        run([sys.executable, "-m", "venv", "--clear", str(folder)])
        run([str(folder / BIN.name / PYTHON.name), "-m", "pip", "install", *PIP, "-q", *packages])
        stamp.write_text(wanted)
    return str(program)


def build_inputs() -> list[Path]:
    """The files that decide what an installation looks like; Python code is not copied."""
    native = (
        p
        for p in (ROOT / "ext").rglob("*")
        if p.suffix in {".c", ".h"} or p.name == "CMakeLists.txt"
    )
    return [ROOT / "pyproject.toml", ROOT / "ext" / "build_native.py", *sorted(native)]


class Stamps:
    """Which steps were done for which content: one line a step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def outdated(self, step: str, inputs: Iterable[Path]) -> bool:
        return self._read().get(step) != digest(inputs)

    def mark(self, step: str, inputs: Iterable[Path]) -> None:
        steps = self._read() | {step: digest(inputs)}
        self.path.write_text("".join(f"{name} {value}\n" for name, value in steps.items()))

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        return dict(line.split(" ", 1) for line in self.path.read_text().splitlines())


def digest(inputs: Iterable[Path]) -> str:
    """One hash over names and contents, and over the Python that does the work."""
    total = hashlib.sha256(sys.version.encode())
    for path in inputs:
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


PIP = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")


def pip(*args: str) -> None:
    run([str(PYTHON), "-m", "pip", args[0], *PIP, *args[1:]])


def python(*args: str) -> None:
    run([str(PYTHON), *args])


def run(command: list[str], *, folder: Path = ROOT) -> None:
    """Run a program; its failure is this program's."""
    with subprocess.Popen(command, cwd=folder) as process:
        # Ctrl-C reaches the program by itself, and it may want to stop in order: just wait for it.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if code:
        sys.exit(code if code > 0 else 128 - code)


def quiet(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def progress(text: str, count: int) -> None:
    if sys.stdout.isatty():
        print(f"\r   {text[:70]:<70}", end="", flush=True)
    elif count % 25 == 0:
        print(f"   {text}", flush=True)


def stop(what: str, hint: str) -> None:
    sys.exit(f"error: {what}\n  {hint}")


def main(args: list[str]) -> None:
    if not args or args[0] in {"-h", "--help"} or args[0] not in TASKS:
        lines = [
            f"  {name:<10} {(function.__doc__ or '').splitlines()[0]}"
            for name, function in TASKS.items()
        ]
        print("usage: python3 noxfile.py TASK [ARGUMENTS]\n\n" + "\n".join(lines))
        sys.exit(0 if not args or args[0] in {"-h", "--help"} else 2)
    bootstrap()
    TASKS[args[0]](args[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
elif __name__ == "user_nox_module":  # what nox calls the file it reads
    import nox

    def _session(name: str, function: Task) -> None:
        @nox.session(name=name, python=False)
        def session(session: nox.Session) -> None:
            bootstrap()
            function(list(session.posargs))

        session.__doc__ = function.__doc__

    nox.options.sessions = ["test", "lint", "types", "imports"]
    for _name, _function in TASKS.items():
        _session(_name, _function)

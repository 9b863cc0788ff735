"""`runreel watch -- COMMAND` records a program that knows nothing of runreel."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.cli.calls import PROGRAM
from tests.live import openai_script as script
from tests.live.sse_server import serving
from tests.live.told import kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.sse_server import Script

TOLD = script.events([script.output_of(["Hello, ", "world"])])
ASK = """
import os, sys, openai
client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="k", max_retries=0)
for event in client.responses.create(model="m", input="Hello?", stream=True):
    pass
print("answered", sys.argv[1:], flush=True)
"""


@pytest.fixture
def server() -> Iterator[Script]:
    with serving() as script_:
        script_.stream(TOLD)
        yield script_


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(ASK)
    return file


def watch(
    url: str, *arguments: str | Path, server: Script | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MODEL_URL": server.url if server else "", **more}
    return subprocess.run(
        [*PROGRAM, "--db", url, "watch", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=False,
    )


def test_a_program_is_recorded(db_url: str, server: Script, program: Path) -> None:
    done = watch(
        db_url,
        "--label",
        "team=search",
        "--",
        sys.executable,
        program,
        "-v",
        "--label",
        server=server,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "answered ['-v', '--label']\n"
    with runreel.open(db_url) as reel:
        assert kept(reel) == TOLD
        assert reel.run("resp_1").labels == {"team": "search"}
        assert reel.run("resp_1").recording == "closed"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "log.db")


def recorded(url: str) -> bool:
    with runreel.open(url) as reel:
        return kept(reel) == TOLD


def test_options_end_at_the_name_of_the_program(url: str, server: Script, program: Path) -> None:
    done = watch(url, sys.executable, program, "--label", "x", server=server)
    assert done.stdout == "answered ['--label', 'x']\n"
    assert recorded(url)


def test_modules_are_recorded(url: str, server: Script, program: Path) -> None:
    command = [sys.executable, "-m", "program"]
    done = watch(url, "--", *command, server=server, PYTHONPATH=str(program.parent))
    assert done.returncode == 0, done.stderr
    assert recorded(url)


def test_console_scripts_are_recorded(url: str, server: Script, tmp_path: Path) -> None:
    command = tmp_path / "agent"
    command.write_text(f"#!{sys.executable}\n{ASK}")
    command.chmod(0o755)
    assert watch(url, "--", command, server=server).returncode == 0
    assert recorded(url)


def test_pytest_is_recorded(url: str, server: Script, tmp_path: Path) -> None:
    body = textwrap.indent(ASK, "    ")
    (tmp_path / "test_agent.py").write_text(f"def test_agent():\n{body}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", tmp_path]
    done = watch(url, "--", *command, server=server)
    assert done.returncode == 0, done.stdout
    assert recorded(url)


def test_what_the_program_becomes_is_recorded_once(
    url: str, server: Script, tmp_path: Path
) -> None:
    """By exec, with modules of its own on PYTHONPATH, and where it watches the same log itself."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "helping.py").touch()
    program = tmp_path / "watching.py"
    program.write_text(
        f"import helping, runreel; runreel.watch({url!r}, labels={{'own': 'b'}})\n{ASK}"
    )
    code = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(program)!r}])"
    path = os.pathsep.join(["/no/such/directory", str(tmp_path / "modules")])
    command = ["--label", "team=a", "--", sys.executable, "-c", code]
    done = watch(url, *command, server=server, PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (0, "answered []\n"), done.stderr
    assert recorded(url)
    with runreel.open(url) as reel:
        (run,) = reel.runs()
        assert run.labels == {"team": "a", "own": "b"}


def test_python_programs_of_a_shell_are_recorded(url: str, server: Script, program: Path) -> None:
    done = watch(url, "--", "sh", "-c", f"{sys.executable} {program}; exit 5", server=server)
    assert done.returncode == 5
    assert recorded(url)


def test_a_working_directory_of_its_own_does_not_move_the_log(
    tmp_path: Path, server: Script, program: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    command = f"cd elsewhere && {sys.executable} {program}"
    done = subprocess.run(
        [*PROGRAM, "--db", "log.db", "watch", "--", "sh", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "MODEL_URL": server.url},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert recorded(str(tmp_path / "log.db"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_module_that_ours_hides_is_imported(url: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('mine', __name__)")
    code = "import sys; print('startup' in str(sys.path)); import sitecustomize"
    done = watch(url, "--", sys.executable, "-c", code, PYTHONPATH=str(tmp_path))
    # The first line is of runreel itself, which Python starts with the same variables.
    assert done.stdout == "mine sitecustomize\n" * 2 + "False\n"


def test_masks_of_the_environment_apply(url: str, server: Script, program: Path) -> None:
    watch(url, "--", sys.executable, program, server=server, RUNREEL_MASK="wor.")
    with runreel.open(url) as reel:
        assert "world" not in reel.result("resp_1").text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", 3),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + 9),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 128 + 15),
    ],
)
def test_the_exit_code_is_the_program_s(url: str, code: str, expected: int) -> None:
    assert watch(url, "--", sys.executable, "-c", code).returncode == expected


WAITS = """
import signal, sys, time
def stop(number, frame):
    print("got", number, flush=True)
    sys.exit(20 + number)
if "handles" in sys.argv:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, stop)
else:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("handles", [True, False])
def test_signals_are_passed_to_the_program(url: str, number: signal.Signals, handles: bool) -> None:
    command = [sys.executable, "-c", WAITS, *(["handles"] if handles else [])]
    with subprocess.Popen(
        [*PROGRAM, "--db", url, "watch", "--", *command],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out = process.stdout.read()
        code = process.wait(60)
    assert (out, code) == ((f"got {number}\n", 20 + number) if handles else ("", 128 + number))


COUNTS = """
import signal, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print("ready", flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.3)
print("got", len(got), flush=True)
raise SystemExit(7)
"""


def test_an_interrupt_of_the_terminal_reaches_the_program_once(url: str) -> None:
    command = [*PROGRAM, "--db", url, "watch", "--", sys.executable, "-c", COUNTS]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)  # noqa: S606 - ourselves
    with open(terminal, "rb", buffering=0) as told:  # noqa: PTH123
        while told.read(1024).find(b"ready") < 0:
            pass
        os.write(terminal, b"\x03")
        text = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := told.read(1024):
                text += data
    _, status = os.waitpid(child, 0)
    assert b"got 1\r\n" in text
    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["true"], "started no Python program"),
        ([sys.executable, "-I", "-c", "import httpx"], "started no Python program"),
        ([sys.executable, "-c", ""], "has not imported httpx or httpx2"),
        ([sys.executable, "-c", "import httpx2"], "has called no model"),
    ],
)
def test_it_says_where_nothing_was_recorded(url: str, command: list[str], said: str) -> None:
    done = watch(url, "--", *command)
    assert done.returncode == 0
    assert done.stderr.startswith("Nothing was recorded: ")
    assert said in done.stderr


@pytest.mark.slow
def test_an_environment_without_runreel_is_named(url: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True)
    python = tmp_path / "other/bin/python"
    done = watch(url, "--", python, "-c", "print('hello')")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert (
        done.stderr == f"Not recorded: runreel is not installed in the environment of {python}.\n"
    )


def test_an_unknown_httpx_is_named(url: str, tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("__version__ = '9.0'\nclass Client: pass\n")
    done = watch(url, "--", sys.executable, "-c", "import httpx", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert "cannot record the calls of httpx 9.0" in done.stderr


def test_programs_that_cannot_be_run(url: str, tmp_path: Path) -> None:
    done = watch(url, "--", "no-such-program")
    assert (done.returncode, done.stderr) == (
        127,
        "Cannot run no-such-program: No such file or directory.\n",
    )
    (tmp_path / "text").touch()
    done = watch(url, "--", tmp_path / "text")
    assert done.returncode == 126


def test_a_log_that_cannot_be_written_is_found_before_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = str(tmp_path / "file" / "log.db")
    done = watch(url, "--", sys.executable, "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (3, "")
    done = watch(url, "--on-error", "warn", "--", sys.executable, "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "nothing will be recorded" in done.stderr


def test_a_command_is_needed(url: str) -> None:
    assert watch(url).returncode == 2


def test_nothing_secret_is_in_the_arguments_and_messages(url: str) -> None:
    """The URL with its password is in the environment, which other users cannot read."""
    code = "import sys; print(sys.orig_argv)"
    unreachable = "postgresql://me:hunter2@127.0.0.1:1/log"
    done = watch(unreachable, "--on-error", "warn", "--", sys.executable, "-c", code)
    assert done.returncode == 0
    assert "nothing will be recorded" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr

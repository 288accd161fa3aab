import argparse
import importlib
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from xla_evo import errors
from xla_evo.cli import main as cli
from xla_evo.store import Store

EXIT_CODES = {
    errors.ConfigError("a"): 2,
    errors.TargetError("a"): 2,
    errors.ProgramError("a"): 2,
    errors.ParseError("a", line=1, column=2): 2,
    errors.BackendError("a"): 2,
    errors.CompileError("a"): 1,
    errors.StoreError("a"): 1,
    errors.RunError("a"): 1,
    OSError(28, "No space left on device"): 1,
    ValueError("two\nlines"): 1,
    KeyboardInterrupt(): 130,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def run(*words, **options):
    command = [sys.executable, "-W", "error", "-m", "xla_evo", *words]
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, text=True, capture_output=True, **options
    )


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_examples(name, capsys):
    command = cli.load(name)
    assert name == command.NAME
    assert all(line.strip().startswith(f"xla-evo {name}") for line in command.EXAMPLES.splitlines())
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "examples:\n" + command.EXAMPLES in shown
    assert cli.main(["--help"]) == 0
    assert f"    {name}" in capsys.readouterr().out


PAGES = ["", *cli.COMMANDS, *(f"cache {name}" for name in ("stats", "prune", "export", "path"))]


@pytest.mark.parametrize("page", PAGES)
def test_help_fits_80_columns(page, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main([*page.split(), "--help"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_help_names_only_scaffolds_that_evolve_takes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["evolve", "--help"]) == 0
    shown = capsys.readouterr().out.partition("  --begin PROGRAM ")[0].split()
    assert {"tanh,", "log-exact,", "tan-fused,"} <= set(shown)
    assert not [name for name in shown if name.startswith(("atan2", "pow"))]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_example_parses(name):
    for line in cli.load(name).EXAMPLES.splitlines():
        words = line.split()
        assert cli.make_parser().parse_args(words[1:]).command == name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["no-such"], "invalid choice: 'no-such'"),
        (["cache"], "the following arguments are required: ACTION"),
        (["cache", "stats", "--no-such"], "unrecognized arguments: --no-such"),
        (["cache", "stats", "--pdb"], "unrecognized arguments: --pdb"),
        (["cache", "stats", "--helpfull"], "unrecognized arguments: --helpfull"),
        (["--verbosity", "loud", "cache", "stats"], "invalid literal for int()"),
        (["cache", "prune", "--max-bytes", "3x"], "'3x' is not a size; write it as"),
        (["cache", "prune", "--older-than", "soon"], "'soon' is not a time; write it as"),
        (["cache", "prune", "--kind", "no-such"], "no entries of kind no-such"),
        (["cache", "export"], "the following arguments are required: FILE"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(words, message, capsys):
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("xla-evo: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.fixture
def failing(monkeypatch):
    def install(error):
        def fail(_):
            raise error

        module = SimpleNamespace(
            NAME="cache", HELP="", EXAMPLES="", add_arguments=lambda _: None, run=fail
        )
        monkeypatch.setattr(cli, "load", lambda _: module)

    return install


@pytest.mark.parametrize("error", EXIT_CODES, ids=lambda error: type(error).__name__)
def test_errors_are_one_line_with_their_exit_code(error, failing, capsys):
    failing(error)
    assert cli.main(["cache"]) == EXIT_CODES[error]
    err = capsys.readouterr().err
    assert err.startswith("xla-evo: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [["--debug", "cache"], ["cache", "--debug"]])
def test_debug_shows_the_traceback(words, failing, capsys):
    failing(errors.StoreError("the reason"))
    assert cli.main(words) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("xla-evo: the reason\n")


def test_every_class_of_error_has_a_tested_exit_code():
    tested = {type(error) for error in EXIT_CODES}
    classes = {getattr(errors, name) for name in errors.__all__} - {errors.XlaEvoError}
    assert classes <= tested


def test_the_program_itself():
    done = run("cache", "path")
    assert (done.returncode, done.stdout) == (0, os.environ["XLA_EVO_CACHE"] + "\n")
    assert done.stderr == ""
    bad = run("cache", "stats", "--jsn")
    assert bad.returncode == 2
    assert bad.stderr == "xla-evo: unrecognized arguments: --jsn (see `xla-evo --help`)\n"
    assert bad.stdout == ""


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("xla-evo 0.")


def test_help_imports_no_jax():
    code = (
        "import sys; from xla_evo.cli.main import main; main(['--help']); "
        "sys.exit(any(name in sys.modules for name in ('jax', 'numpy', 'rich', 'sqlite3')))"
    )
    path = os.pathsep.join(part for part in sys.path if part)
    environment = os.environ | {"PYTHONPATH": path}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["--help", "evolve --help", "--version", "cache path"])
def test_a_closed_pipe_is_silent(arguments, unbuffered):
    code = f"{sys.executable} -m xla_evo {arguments} | true; echo ${{PIPESTATUS[0]}}"
    path = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run(
        ["bash", "-c", code],
        env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


def test_a_closed_output_exits_141(failing, monkeypatch):
    closed = os.open(os.devnull, os.O_WRONLY)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: closed))
    failing(BrokenPipeError())
    assert cli.main(["cache"]) == 141
    os.close(closed)


@pytest.mark.parametrize("redirection", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(redirection, tmp_path):
    path = os.pathsep.join(part for part in sys.path if part)
    line = f"{sys.executable} -W error -m xla_evo cache export {tmp_path / 'file'} {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=os.environ | {"PYTHONPATH": path}, text=True,
        capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "file").stat().st_size > 0


def test_interrupt_by_signal(folder):
    Store.open(folder).close()
    code = (
        "import signal, time, types, xla_evo.cli.main as cli\n"
        # A job in the background of a script is started with interrupts ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def wait(args):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(30)\n"
        "cli.load = lambda _: types.SimpleNamespace(\n"
        "    HELP='', EXAMPLES='', add_arguments=lambda _: None, run=wait)\n"
        "import sys; sys.argv = ['xla-evo', 'cache']; cli.run()\n"
    )
    path = os.pathsep.join(part for part in sys.path if part)
    with subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(2)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "xla-evo: interrupted\n"


def test_parser_declares_only_the_asked_command(monkeypatch):
    loaded = []
    monkeypatch.setattr(
        cli, "load", lambda n: loaded.append(n) or importlib.import_module(f"xla_evo.cli.{n}")
    )
    with pytest.raises(SystemExit):
        cli.make_parser().parse_args(["--help"])
    assert loaded == []
    assert isinstance(cli.make_parser().parse_args(["cache", "path"]), argparse.Namespace)
    assert loaded == ["cache"]


def test_store_trouble_reaches_the_user(folder, capsys):
    folder.write_text("a file where the folder should be")
    assert cli.main(["cache", "stats"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "set XLA_EVO_CACHE to a folder that you can write" in err
    folder.unlink()
    Store.open(folder).close()
    (folder / "index.sqlite").write_bytes(b"no database " * 100)
    done = run("cache", "stats", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["kinds"] == []
    assert "set aside as index.sqlite.corrupt-" in done.stderr
    assert done.stderr.count("\n") == 1

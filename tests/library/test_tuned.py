"""The user's own times and library: several writers, kills, and folders that are none."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xla_evo.library import choose, entries, loader
from xla_evo.library.tuned import record_ratios, tuned_ratios, user_library

from .programs import program_for_exp

pytestmark = pytest.mark.usefixtures("fresh_store")
MACHINE = {"device": "one"}


def test_times_that_are_recorded_at_once_are_all_kept() -> None:
    names = [f"f{number}" for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: record_ratios(name, "float32", MACHINE, {"a": 2.0}), names))
    assert all(tuned_ratios(name, "float32", MACHINE) == {"a": 2.0} for name in names)


@pytest.mark.parametrize("below", ["", "below"])
def test_nothing_is_tuned_where_the_cache_is_no_folder(tmp_path: Path, monkeypatch, below) -> None:
    expected = choose("exp", max_ulp=1.0)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "file" / below))
    assert choose("exp", max_ulp=1.0) == expected


def test_nothing_is_tuned_in_a_folder_that_cannot_be_entered(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    expected = choose("exp", max_ulp=1.0)
    closed, glob = tmp_path / "library", Path.glob
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(Path, "glob", lambda p, t: refuse() if p == closed else glob(p, t))
    assert choose("exp", max_ulp=1.0) == expected


@pytest.mark.parametrize("kept", [0, 1])
def test_a_kill_between_two_writes_leaves_a_whole_library(monkeypatch, kept) -> None:
    entry, replace, done = program_for_exp(), Path.replace, []

    def killed(path: Path, target: Path) -> None:
        if len(done) == kept:
            raise KeyboardInterrupt
        done.append(target)
        replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            loader.write_entry(entry, user_library())
    assert entries("exp", "float32", folder=user_library()) == ()


@pytest.mark.parametrize("suffix", [".prog", ".json"])
def test_a_damaged_entry_of_the_user_is_left_out_with_a_warning(suffix) -> None:
    path = loader.write_entry(program_for_exp(), user_library())
    path.with_suffix(suffix).write_text("")
    with pytest.warns(UserWarning, match=f"{path} is refused.*remove it") as told:
        assert entries("exp", "float32", folder=user_library()) == ()
    assert len(told) == 1
    assert choose("exp", max_ulp=1.0).entry is not None

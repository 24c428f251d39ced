"""Settings: default < file < environment < flag, and an unknown name is an error that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.errors import SettingError
from freehold.settings import SETTINGS, load_settings


def _file(folder: Path, text: str) -> Path:
    path = folder / "freehold.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_later_sources_win(tmp_path: Path) -> None:
    path = _file(tmp_path, "[gateway]\nport = 9000\n[prove]\nmargin = 0.1\n")
    settings = load_settings(path, environment={"FREEHOLD_PROVE_MARGIN": "0.2"})
    assert settings.whole("gateway.port") == 9000
    assert settings.number("prove.margin") == 0.2
    assert settings.override({"gateway.port": 9001, "prove.margin": None}).whole("gateway.port") == 9001
    assert settings.text("gateway.host") == "127.0.0.1"


def test_a_task_has_settings_of_its_own(tmp_path: Path) -> None:
    settings = load_settings(_file(tmp_path, "[tasks.triage]\nmargin = 0.05\n"), environment={})
    assert settings.for_task("triage").number("prove.margin") == 0.05
    assert settings.for_task("other").number("prove.margin") == 0.02


def test_providers_are_read_and_completed(tmp_path: Path) -> None:
    text = '[providers.openai]\n[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["a*"]\n'
    settings = load_settings(_file(tmp_path, text), environment={})
    openai, mine = settings.providers
    assert openai.key_env == "OPENAI_API_KEY"
    assert mine.models == ("a*",)


@pytest.mark.parametrize(
    ("price", "parts"),
    [
        ("[2.5, 10]", (2.5, 10.0)),
        ("[2.5, 10.0, 1.25]", (2.5, 10.0, 1.25)),
        ("[2.5, 10.0, 1.25, 3.0]", (2.5, 10.0, 1.25, 3.0)),
        ("{ input = 2.5, output = 10.0 }", (2.5, 10.0)),
        ("{ input = 2.5, output = 10.0, cached = 0 }", (2.5, 10.0, 0.0)),
        ("{ input = 2.5, output = 10.0, written = 3.0 }", (2.5, 10.0, 2.5, 3.0)),
        ("{ written = 3.0, cached = 1.0, output = 10.0, input = 2.5 }", (2.5, 10.0, 1.0, 3.0)),
    ],
)
def test_prices_may_tell_cached_and_written_input_apart(tmp_path: Path, price: str, parts: tuple[float, ...]) -> None:
    settings = load_settings(_file(tmp_path, f'[providers.openai]\nprices = {{ "m" = {price} }}\n'), environment={})
    assert settings.providers[0].prices == {"m": parts}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[gateway]\nprot = 1\n", "gateway.port"),
        ("marg = 1\n", "There is no setting 'marg'"),
        ("[prove]\nmargin = 2\n", "not a number from 0 to 1"),
        ("[prove]\nmargin = -0.1\n", "not a number from 0 to 1"),
        ("[prove]\nmargin = 'much'\n", "not a number from 0 to 1"),
        ("[prove]\nmargin = nan\n", "not a number from 0 to 1"),
        ("[gateway]\nport = 70000\n", "not a whole number from 0 to 65535"),
        ("[gateway]\nadd_usage = 'perhaps'\n", "true or false"),
        ("[tasks.a]\nmargn = 1\n", "'margin'"),
        ("[providers.x]\nbase_url = 'ftp://a'\n", "base_url"),
        ("[providers.x]\nkey = 'sk-1'\n", "key_env"),
        ("[providers.openai]\nprices = { 'm' = [1.0] }\n", "prices.m"),
        ("[providers.openai]\nprices = { 'm' = [1.0, 2.0, 3.0, 4.0, 5.0] }\n", "prices.m"),
        ("[providers.openai]\nprices = { 'm' = [1.0, -2.0] }\n", "prices.m"),
        ("[providers.openai]\nprices = { 'm' = { input = 1.0 } }\n", "prices.m"),
        ("[providers.openai]\nprices = { 'm' = { input = 1.0, output = 2.0, cachd = 1.0 } }\n", "'cachd'"),
        ("[providers]\n", "is empty"),
        ("a = [", "cannot be read"),
    ],
)
def test_a_mistake_is_one_line_that_helps(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(_file(tmp_path, text), environment={})
    assert part in str(caught.value)
    assert "\n" not in str(caught.value).strip() or "cannot be read" in part
    assert caught.value.hint


def test_every_setting_says_what_it_is() -> None:
    assert len({s.key for s in SETTINGS}) == len(SETTINGS)
    assert all(s.help.endswith(".") for s in SETTINGS)
    assert len(SETTINGS) > 20


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="There is no settings file"):
        load_settings(tmp_path / "none.toml", environment={})

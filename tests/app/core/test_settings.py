"""Settings come from defaults, config.yaml, .env and the environment; an error says where to look."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core import settings
from app.core.catalog.catalog import find_folder
from app.core.errors import SettingsError
from app.core.settings import Settings
from app.factory import create_app
from tests.service import MINI, ROOT


def loaded(folder: Path, config: str = "", **environ: str) -> Settings:
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    return settings.load(environ, root=folder)


def refusal(folder: Path, config: str = "", **environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        loaded(folder, config, **environ)
    return str(refused.value)


def test_anchor_that_contains_itself_is_refused(tmp_path: Path) -> None:
    assert "anchor that contains itself" in refusal(tmp_path, "a: &a\n  b: *a")


@pytest.mark.parametrize(
    ("config", "line", "words"),
    [
        ("server:\n  port: 1\nspeach:\n  x: 1", 3, ("'speach'", "transcription", "whisper")),
        ("server:\n  port: 1\n  prot: 1", 3, ("server.prot", "port", "threads")),
        ("whisper: large", 1, ("'whisper'",)),
        ("\ncache:\n", 2, ("'cache'",)),
        ("transcription: [1]", 1, ("'transcription'",)),
        ("cache:\n  ttl: ten", 2, ("cache.ttl", "whole number", "'ten'")),
        ("cache:\n  ttl: '600'", 2, ("cache.ttl", "whole number", "'600'")),
        ("cache:\n  ttl: 600.0", 2, ("cache.ttl", "whole number", "600.0")),
        ("cache:\n  ttl: true", 2, ("cache.ttl", "whole number", "True")),
        ("cache:\n  ttl: .nan", 2, ("cache.ttl", "whole number", "nan")),
        ("cache:\n  ttl: null", 2, ("cache.ttl", "whole number", "None")),
        ("cache:\n  path: 7", 2, ("cache.path", "a path", "7")),
        ("workers:\n  preload: 1", 2, ("workers.preload", "true or false", "1")),
        ("workers:\n  drain_timeout: .nan", 2, ("workers.drain_timeout", "a number", "nan")),
        ("workers:\n  drain_timeout: .inf", 2, ("workers.drain_timeout", "at most 86400", "inf")),
        ("workers:\n  drain_timeout: -.inf", 2, ("workers.drain_timeout", "at least 0", "-inf")),
        ("workers:\n  drain_timeout: 1" + "0" * 400, 2, ("workers.drain_timeout", "a number")),
        ("workers:\n  device: tpu", 2, ("workers.device", "auto, cpu, cuda", "'tpu'")),
        ("whisper:\n  compute_type: float8", 2, ("whisper.compute_type", "int8", "'float8'")),
        ("whisper:\n  model_size: [large]", 2, ("whisper.model_size", "text")),
        ("whisper:\n  models: [tiny]", 2, ("whisper.models", "name: place")),
        ("whisper:\n  models:\n    tiny: 1", 2, ("whisper.models", "name: place")),
        ("server:\n  port: 0", 2, ("server.port", "at least 1", "0")),
        ("server:\n  port: 65536", 2, ("server.port", "at most 65535", "65536")),
        ("server:\n  threads: 1", 2, ("server.threads", "at least 2")),
        ("limits:\n  max_audio_hours: 0", 2, ("limits.max_audio_hours", "at least 0.01")),
        ("fetch:\n  allow: 10.0.0.0/8", 2, ("fetch.allow", "list of texts")),
        ("fetch:\n  allow: [1]", 2, ("fetch.allow", "list of texts")),
        ("fetch:\n  allow: [10.0.0.0/8, 10.0.0.1/8]", 2, ("fetch.allow", "10.0.0.1/8")),
        ("fetch:\n  allow: ['http://media.lab/']", 2, ("fetch.allow", "http://media.lab/")),
        ("fetch:\n  allow: [127.0.1]", 2, ("fetch.allow", "127.0.1")),
        ("fetch:\n  allow: [media lab]", 2, ("fetch.allow", "'media lab'")),
        ("server:\n  graceful_timeout: 0", 2, ("server.graceful_timeout", "at least 1")),
        ("server:\n  trusted_proxies: -1", 2, ("server.trusted_proxies", "at least 0")),
        ("server:\n  allowed_hosts: ['https://a.example']", 2, ("server.allowed_hosts", "'https://a.example'")),
        ("server:\n  allowed_hosts: ['a.example:80']", 2, ("server.allowed_hosts", "'a.example:80'")),
        ("server:\n  cors_origins: ['*']", 2, ("server.cors_origins", "'*'")),
        ("server:\n  cors_origins: [page.example]", 2, ("server.cors_origins", "https://page.example")),
        ("server:\n  cors_origins: ['https://page.example/']", 2, ("server.cors_origins", "'https://page.example/'")),
        ("server:\n  cors_origins: ['https://page.example:443']", 2, ("server.cors_origins", "not the default")),
        ("limits:\n  min_upload_kb_per_second: -1", 2, ("limits.min_upload_kb_per_second", "at least 0")),
        ("server:\n  port: 1\n  port: 2", 3, ("'port'", "given twice")),
        ("cache: {}\nserver: {}\ncache: {}", 3, ("'cache'", "given twice")),
        ("whisper:\n  models:\n    a: b\n    a: c", 4, ("'a'", "given twice")),
        ("server:\n  port: !!int abc", 2, ("'abc'",)),
        ("cache:\n  path: 2001-99-99", 2, ("'2001-99-99'",)),
        ("cache:\n  ttl: 1" + "0" * 5000, 2, ("'1000",)),
        ("cache:\n  path: !secret x", 2, ("'x'", "!secret")),
        ("server:\n  port: 1\n bad: [", 3, ("not valid YAML",)),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_settings_error_names_file_line_and_key(tmp_path: Path, config: str, line: int, words: tuple[str, ...]) -> None:
    said = refusal(tmp_path, config)
    assert str(tmp_path / "config.yaml") in said
    assert f"line {line}" in said
    assert all(word in said for word in words), said
    assert len(said) < 500 and "\n" not in said


@pytest.mark.parametrize(
    ("config", "line", "words"),
    [
        ("transcription:\n  beam_size: 0", 2, ("transcription.beam_size", "greater than or equal to 1")),
        ("cache: {}\ntranscription:\n  lang: en\n  beam: 5", 4, ("transcription.beam", "Unknown")),
        ("transcription:\n  patience: .nan", 2, ("transcription.patience", "finite")),
        ("transcription:\n  patience: 1" + "0" * 400, 2, ("transcription.patience", "finite")),
        ("transcription:\n  beam_size: true", 2, ("transcription.beam_size", "whole number")),
        ("transcription:\n  model_size: evil/repo", 2, ("transcription.model_size", "large-v3")),
        ("transcription:\n  is_translate: [1]", 2, ("transcription.is_translate", "boolean")),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_invalid_parameter_default_names_file_line_and_key(
    tmp_path: Path, config: str, line: int, words: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as refused:
        create_app(loaded(tmp_path, config))
    assert f"{tmp_path / 'config.yaml'}, line {line}: " in str(refused.value)
    assert all(word in str(refused.value) for word in words), str(refused.value)


@pytest.mark.parametrize("content", [b"- a\n- b", b"just text", b"\xff\xfe\xff"])
def test_file_without_sections_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(SettingsError, match=str(tmp_path / "config.yaml")):
        settings.load({}, root=tmp_path)


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{tmp_path / 'none.yaml'}.*No such file"):
        settings.load({"CONFIG": "none.yaml"}, root=tmp_path)


@pytest.mark.parametrize(
    "port", ["0", "65536", "-1", "80.5", "http", "8" * 5000, "1e3", "²"], ids=lambda port: port[:9]
)
def test_bad_port_in_the_environment_is_refused(tmp_path: Path, port: str) -> None:
    assert "PORT must be a number from 1 to 65535" in refusal(tmp_path, PORT=port)


def test_empty_file_means_the_defaults(tmp_path: Path) -> None:
    chosen = loaded(tmp_path)
    assert (chosen.server, chosen.whisper, chosen.limits) == (
        settings.Server(),
        settings.Whisper(),
        settings.Limits(),
    )
    assert chosen.db_url == f"sqlite:///{tmp_path / 'records.db'}"


def test_settings_of_the_first_version_load(tmp_path: Path) -> None:
    chosen = loaded(
        tmp_path,
        "whisper:\n  model_size: tiny\n  compute_type: int8\n  enable_offload: true\n"
        "bgm_separation:\n  model_size: htdemucs_ft\n  models:\n    best: mine\n  device: cpu\n  enable_offload: false\n"
        "cache:\n  ttl: 30\n  frequency: 5\n",
        HF_TOKEN="hf_secret",
        DB_URL="postgresql://u:p@h/d",
    )
    assert (chosen.whisper.model_size, chosen.whisper.compute_type, chosen.whisper.enable_offload) == (
        "tiny",
        "int8",
        True,
    )
    assert chosen.bgm_separation == settings.BgmSeparation("htdemucs_ft", {"best": "mine"}, "cpu", False)
    assert (chosen.cache.ttl, chosen.cache.frequency) == (30, 5)
    assert (chosen.hf_token, chosen.db_url) == ("hf_secret", "postgresql://u:p@h/d")


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    chosen = loaded(
        tmp_path,
        "server:\n  host: 10.0.0.1\n  port: 9\ncache:\n  path: elsewhere\n",
        PORT="8123",
        HOST="0.0.0.0",
        CACHE_DIR=str(tmp_path / "c"),
        DB_URL="sqlite:////tmp/x.db",
        ENGINE="ray",
    )
    assert (chosen.server.host, chosen.server.port) == ("0.0.0.0", 8123)
    assert chosen.workers.engine == "ray"
    assert (chosen.cache.path, chosen.db_url) == (tmp_path / "c", "sqlite:////tmp/x.db")


def test_unknown_engine_of_the_environment_is_refused(tmp_path: Path) -> None:
    assert "environment: ENGINE must be one of local, ray, not 'Ray'" in refusal(tmp_path, ENGINE="Ray")


def test_empty_variable_overrides_nothing(tmp_path: Path) -> None:
    chosen = loaded(tmp_path, "server:\n  port: 9\n", PORT="", CACHE_DIR="", DB_URL="", CONFIG="", HOST="", ENGINE="")
    assert (chosen.server.host, chosen.server.port, chosen.cache.path) == ("127.0.0.1", 9, tmp_path / "cache")
    assert chosen.db_url.endswith("records.db")


def test_paths_are_relative_to_the_folder_of_the_config_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "speech.yaml").write_text("models:\n  path: weights\ncache:\n  path: ../cache\n")
    chosen = settings.load({"CONFIG": "etc/speech.yaml"}, root=tmp_path)
    assert (chosen.models.path, chosen.cache.path) == (folder / "weights", tmp_path / "cache")
    assert chosen.db_url == f"sqlite:///{folder / 'records.db'}"


def test_dotenv_is_read_and_the_environment_overrides_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# a comment\n\nPORT=8001\nexport HF_TOKEN='hf_file'\nDB_URL=\"sqlite:///f.db\"\n")
    chosen = loaded(tmp_path, PORT="8002")
    assert (chosen.server.port, chosen.hf_token, chosen.db_url) == (8002, "hf_file", "sqlite:///f.db")


def test_broken_dotenv_names_file_and_line_but_not_its_content(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1\nhf_abcdef\n")
    said = refusal(tmp_path)
    assert f"{tmp_path / '.env'}, line 2" in said
    assert "hf_abcdef" not in said


def test_secrets_are_pickled_but_not_printed(tmp_path: Path) -> None:
    chosen = loaded(tmp_path, "transcription:\n  lang: en\n", HF_TOKEN="hf_secret", DB_URL="postgresql://u:pass@h/d")
    assert "hf_secret" not in repr(chosen) and "pass" not in repr(chosen)
    assert pickle.loads(pickle.dumps(chosen)) == chosen


def test_one_setting_can_be_printed() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "app.core.settings", "server.port"],
        cwd=ROOT,
        env={"CONFIG": str(MINI / "config.yaml"), "PORT": "8765"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == "8765\n"


def test_shipped_config_states_every_default(tmp_path: Path) -> None:
    chosen = settings.load({"CONFIG": str(ROOT / "config.yaml")}, root=tmp_path)
    assert chosen.whisper.models and chosen.bgm_separation.models
    expected = Settings(
        models=settings.Models(ROOT / "models"),
        cache=settings.Cache(ROOT / "cache"),
        whisper=dataclasses.replace(settings.Whisper(), models=chosen.whisper.models),
        bgm_separation=dataclasses.replace(settings.BgmSeparation(), models=chosen.bgm_separation.models),
        db_url=f"sqlite:///{ROOT / 'records.db'}",
    )
    assert chosen == expected
    stated: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    sections = {name: list(stated[name]) for name in settings.SECTIONS}
    assert sections == {name: [f.name for f in dataclasses.fields(getattr(chosen, name))] for name in settings.SECTIONS}


def test_config_of_the_mini_models_names_existing_folders(tmp_path: Path) -> None:
    chosen = settings.load({"CONFIG": str(MINI / "config.yaml")}, root=tmp_path)
    assert chosen.models.path == MINI
    assert chosen.whisper.model_size in chosen.whisper.models
    named = (chosen.whisper.models, chosen.align.models, chosen.bgm_separation.models)
    for place in [place for models in named for place in models.values()]:
        assert (MINI / place).is_dir()


@pytest.mark.parametrize(
    ("config", "line", "key", "place"),
    [
        ("whisper:\n  model_size: models/mini/whisper", 2, "whisper.model_size", "models/mini/whisper"),
        ("whisper:\n  models:\n    a: tiny\n    b: ./own", 4, "whisper.models.b", "./own"),
        ("whisper:\n  models: {a: own/}", 2, "whisper.models.a", "own/"),
        ("whisper:\n  models: {a: here/own}", 2, "whisper.models.a", "here/own"),
        ("align:\n  models:\n\n    en: models/mini/align", 4, "align.models.en", "models/mini/align"),
        ("align:\n  models: {en: /no/such/folder}", 2, "align.models.en", "/no/such/folder"),
        ("align:\n  models: {en: ~absent-user/own}", 2, "align.models.en", "~absent-user/own"),
        ("diarization:\n  model: models/mini/diarization", 2, "diarization.model", "models/mini/diarization"),
        ("diarization:\n  model: ../diarization", 2, "diarization.model", "../diarization"),
        ("bgm_separation:\n  model_size: ~/demucs", 2, "bgm_separation.model_size", "~/demucs"),
        ("bgm_separation:\n  models: {a: weights of/demucs}", 2, "bgm_separation.models.a", "weights of/demucs"),
    ],
)
def test_missing_folder_of_a_model_stops_the_start(
    tmp_path: Path, config: str, line: int, key: str, place: str
) -> None:
    (tmp_path / "here").mkdir()  # so that here/own is a path, and not the repository of an owner called "here"
    said = refusal(tmp_path, config)
    assert said.startswith(f"{tmp_path / 'config.yaml'}, line {line}: {key}: the folder {place!r} does not exist")
    if not place.startswith(("/", "~")):
        assert f"tried {(tmp_path / 'models' / place).absolute()} and {(tmp_path / place).absolute()}" in said


@pytest.mark.parametrize(("config", "said"), [("a: file/model.bin", "is a file"), ('a: " "', "not an empty text")])
def test_model_that_is_no_folder_stops_the_start(tmp_path: Path, config: str, said: str) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "model.bin").touch()
    assert said in refusal(tmp_path, f"whisper:\n  models: {{{config}}}")


@pytest.mark.parametrize(
    "place", ["lab/own", "own", "openai/whisper-x", "pyannote/speaker-diarization-3.1", "large-v3", "kept/own"]
)
def test_name_of_a_model_that_may_be_downloaded_is_accepted(tmp_path: Path, place: str) -> None:
    for folder in ("pyannote", "kept", "models/models--kept--own"):  # folders that are called like owners at the hub
        (tmp_path / folder).mkdir(parents=True)
    config = f"whisper: {{models: {{a: {place}}}}}\nalign: {{models: {{en: {place}}}}}\ndiarization: {{model: {place}}}"
    assert loaded(tmp_path, config).diarization.model == place


@pytest.mark.parametrize("place", ["weights/own", "own", "./weights/own", "~/own", "here/weights/own"])
def test_folder_of_a_model_may_be_relative_to_the_models_and_to_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folders = {
        "weights/own": "here/weights/own",
        "own": "models/own",
        "./weights/own": "weights/own",
        "~/own": "home/own",
        "here/weights/own": "here/weights/own",
    }
    (tmp_path / folders[place]).mkdir(parents=True)
    models = "here" if place == "weights/own" else "models"
    chosen = loaded(tmp_path, f"models: {{path: {models}}}\nalign: {{models: {{en: {place}}}}}")
    assert find_folder(place, chosen) == tmp_path / folders[place]


def test_model_in_the_environment_replaces_every_default(tmp_path: Path) -> None:
    config = "whisper: {model_size: large-v3}\ntranscription: {model_size: tiny, beam_size: 2}"
    chosen = loaded(tmp_path, config, MODEL="base")
    assert (chosen.whisper.model_size, dict(chosen.transcription)) == ("base", {"beam_size": 2})
    assert loaded(tmp_path, config, MODEL="").whisper.model_size == "large-v3"


@pytest.mark.parametrize(("model", "said"), [("bsae", "one of large-v3-turbo, tiny"), ("./own", "does not exist")])
def test_unknown_model_in_the_environment_stops_the_start(tmp_path: Path, model: str, said: str) -> None:
    config = "whisper: {models: {large-v3-turbo: large-v3-turbo}}"
    answer = refusal(tmp_path, config, MODEL=model)
    assert answer.startswith("environment: MODEL") and said in answer


def test_secrets_of_webhooks_come_from_the_environment_and_are_not_shown(tmp_path: Path) -> None:
    secrets = ("whsec_" + "A" * 32, "whsec_" + "Bb+/" * 11)
    chosen = loaded(tmp_path, "", WEBHOOK_SECRET="  ".join(secrets))
    assert chosen.webhook_secrets == secrets
    assert loaded(tmp_path, "", WEBHOOK_SECRET="").webhook_secrets == ()
    assert "whsec_" not in repr(chosen)


@pytest.mark.parametrize("secret", ["B" * 32, "whsec_", "whsec_QUJD", "whsec_" + "!" * 32, "whsec_" + "A" * 90])
def test_bad_secret_of_webhooks_stops_the_start_without_being_repeated(tmp_path: Path, secret: str) -> None:
    said = refusal(tmp_path, "", WEBHOOK_SECRET=f"whsec_{'A' * 32} {secret}")
    assert said.startswith("environment: WEBHOOK_SECRET: secret 2 is not whsec_") and said.count("A" * 20) == 0


@pytest.mark.parametrize("url", ["ftp://a/", "https://user:hunter2@a.example/", "hook"])
def test_receiver_that_cannot_be_used_stops_the_start_without_being_repeated(tmp_path: Path, url: str) -> None:
    said = refusal(tmp_path, f"webhooks: {{url: '{url}'}}")
    assert said.startswith(f"{tmp_path / 'config.yaml'}, line 1: webhooks.url: ") and "hunter2" not in said
    chosen = loaded(tmp_path, "webhooks: {url: 'https://a.example/?secret'}")
    assert chosen.webhooks.url == "https://a.example/?secret" and "secret" not in repr(chosen)


@pytest.mark.parametrize(
    ("config", "environ", "says"),
    [
        ("storage:\n  url: /mnt/files", {}, "line 2: storage.url: '/mnt/files' does not name a bucket"),
        ("storage:\n  url: s3://speech\n  endpoint: store", {}, "line 3: storage.endpoint: 'store' is not the address"),
        ("storage:\n  endpoint: http://store", {}, "line 2: storage.endpoint has no effect without storage.url"),
        ("storage:\n  redirect: true", {}, "line 2: storage.redirect has no effect without storage.url"),
        ("", {"STORAGE_URL": "speech"}, "environment: STORAGE_URL: 'speech' does not name a bucket"),
        ("", {"STORAGE_ENDPOINT": "http://store"}, "storage.endpoint has no effect"),
    ],
)
def test_wrong_place_of_the_storage_is_refused(tmp_path: Path, config: str, environ: dict[str, str], says: str) -> None:
    assert says in refusal(tmp_path, config, **environ)


def test_environment_names_the_storage_and_its_keys(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=hidden\n")
    found = loaded(tmp_path, "storage:\n  url: s3://one\n  redirect: true", STORAGE_URL="s3://two/x")
    assert (found.storage.url, found.storage.endpoint, found.storage.redirect) == ("s3://two/x", "", True)
    assert (found.storage_keys.access, found.storage_keys.secret) == ("id", "hidden")
    assert "hidden" not in repr(found)

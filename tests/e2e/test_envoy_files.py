"""The mistakes that `validate --envoy` finds are ones that Envoy itself accepts."""

import subprocess
from pathlib import Path

import pytest
import yaml
from tools import AUTHZ, ENVOY, ROOT

SHIPPED = (ROOT / "envoy/envoy.yaml").read_text()
ROWS = yaml.safe_load((ROOT / "tests/data/envoy-mistakes.yaml").read_text())["rows"]


def changed(row: dict) -> str:
    """The shipped file with the changes of a row."""
    text = SHIPPED
    for old, new in (("replace", "with"), ("replace_too", "with_too")):
        if old in row:
            assert row[old] in text
            text = text.replace(row[old], row[new], 1)
    return text


def accepts(directory: Path, text: str) -> bool:
    """Whether Envoy takes a configuration."""
    file = directory / "envoy.yaml"
    file.write_text(text)
    options = ["--mode", "validate", "-l", "critical", "--use-dynamic-base-id"]
    ran = subprocess.run([ENVOY, *options, "-c", file], capture_output=True, timeout=30)
    return ran.returncode == 0


def test_the_shipped_file_is_clean_and_accepted(own):
    assert accepts(own, SHIPPED)
    files = ["--config", ROOT / "envoy/mcp-authz.yaml", "--envoy", ROOT / "envoy/envoy.yaml"]
    ran = subprocess.run(
        [AUTHZ, "validate", *files, "--deny-warnings"], capture_output=True, text=True, timeout=30
    )
    assert ran.stdout.endswith("0 error(s), 0 warning(s)\n"), ran.stdout


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"].replace("/", "-"))
def test_envoy_accepts_the_mistake(tmp_path, row):
    assert accepts(tmp_path, changed(row)) is not row.get("refused", False)

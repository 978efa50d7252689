"""The settings under deploy/ are Catena's."""

import subprocess

import pytest
from conftest import PROGRAM, ROOT


@pytest.mark.parametrize("file", ["container/config.yaml", "kubernetes/config.yaml"])
def test_settings_are_known(file: str) -> None:
    path = ROOT / "deploy" / file
    result = subprocess.run([PROGRAM, "check-config", "--config", path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    # The file is what they come from, and not the defaults.
    for setting in ("host", "max_connections_per_address", "grace", "deadline"):
        assert any(
            line.strip().startswith(f"{setting}:") and f"deploy/{file}" in line for line in result.stdout.splitlines()
        ), setting

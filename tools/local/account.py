"""`deploy`: the shipped binaries and the template into a real AWS account."""

import os
import shutil
import subprocess
from pathlib import Path

import tomlkit

from . import state
from .progress import Failed, step

TARGETS = {"arm64": "--arm64", "x86_64": "--x86-64"}


def deploy(env):
    """Builds every flow with the `ship` profile for the architecture of this section, then deploys with it."""
    architecture = _architecture(env)
    flows = sorted(path.name for path in (state.ROOT / "functions").iterdir() if path.is_dir())
    with step(f"build for {architecture}") as running:
        packages = [word for flow in flows for word in ("--package", flow)]
        _run(["cargo", "lambda", "build", "--profile", "ship", TARGETS[architecture], *packages])
        for flow in flows:
            _place(flow)
        running.note = f"{len(flows)} functions"
    _run(["sam", "deploy", "--config-env", env, "--template-file", "infra/template.yaml", "--config-file", str(_config())])


def _architecture(env):
    sections = tomlkit.parse(_config().read_text())
    if env not in sections:
        raise Failed(f"infra/samconfig.toml has no section {env!r}")
    overrides = sections[env]["deploy"]["parameters"].get("parameter_overrides", [])
    chosen = dict(each.split("=", 1) for each in overrides).get("Architecture", "arm64")
    if chosen not in TARGETS:
        raise Failed(f"Architecture is {chosen!r} in infra/samconfig.toml; it must be one of {', '.join(TARGETS)}")
    return chosen


def _config():
    return state.ROOT / "infra" / "samconfig.toml"


def _place(flow):
    built = Path(os.environ.get("CARGO_TARGET_DIR", state.ROOT / "target")) / "lambda" / flow / "bootstrap"
    folder = state.ROOT / "dist" / flow
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(built, folder / "bootstrap")


def _run(argv):
    if subprocess.run(argv, cwd=state.ROOT).returncode:
        raise Failed(f"`{' '.join(argv[:3])}` failed")

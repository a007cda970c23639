"""The rules of the house, as tests: what is built, what imports what, what starts fast."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAPPED = {"benchmarks": "precision.benchmarks", "drivers": "precision.drivers", "kernels": "precision.kernels"}


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if not path.is_symlink() and _really_in(path, folder))


def _really_in(path: Path, folder: str) -> bool:
    return path.resolve().is_relative_to(ROOT / folder)


def test_the_build_lists_every_package() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    found = set()
    for folder, name in {"precision": "precision", **MAPPED}.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            if not (folder == "precision" and parts and parts[0] in MAPPED):
                found.add(".".join((name, *parts)))
    assert listed == found


def test_every_shipped_file_that_is_not_python_is_package_data() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    for folder, name in MAPPED.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in {".toml", ".cu", ".j2", ".css"}:
                relative = path.relative_to(ROOT / folder)
                assert any(relative.match(pattern) for pattern in data.get(name, [])), f"{path} would be missing from the wheel"


@pytest.mark.parametrize("path", _sources("kernels"), ids=lambda path: path.stem)
def test_a_kernel_module_imports_no_array_library_at_the_top(path: Path) -> None:
    heavy = {"numpy", "cupy", "cupyx", "numba", "scipy", "pandas", "pyarrow", "matplotlib"}
    top_level = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name.split(".")[0] for node in top_level if isinstance(node, ast.Import) for alias in node.names}
    names |= {(node.module or "").split(".")[0] for node in top_level if isinstance(node, ast.ImportFrom) and node.level == 0}
    assert not names & heavy


@pytest.mark.parametrize("path", _sources("kernels", "drivers", "benchmarks", "precision"), ids=lambda path: "/".join(path.parts[-2:]))
def test_nothing_unpickles_or_evaluates_text(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            assert name not in {"eval", "exec"}, f"{path}:{node.lineno}"
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & {"pickle", "dill", "cloudpickle", "yaml"}, f"{path}:{node.lineno}"


def _modules_after(arguments: list[str]) -> set[str]:
    code = (
        "import sys, json\n"
        "from precision.cli import _exit_code\n"
        f"_exit_code({arguments!r})\n"
        "print('MODULES', json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    out = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    return set(json.loads(out.rsplit("MODULES", 1)[1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["completion", "bash"]], ids=" ".join)
def test_help_and_completion_import_neither_numpy_nor_matplotlib(arguments: list[str]) -> None:
    assert not _modules_after(arguments) & {"numpy", "scipy", "matplotlib", "pyarrow", "pydantic", "numba", "pyvisa", "serial"}


def test_the_ready_plans_and_the_procedures_belong_together() -> None:
    from precision.benchmarks import ALL
    from precision.benchmarks.plan_files import checked, model_of, ready_plans

    assert {"positioning"} <= set(ready_plans())
    for name in ready_plans():
        assert isinstance(checked(name), model_of(getattr(checked(name), "procedure")))  # noqa: B009
    for procedure in ALL:
        assert model_of(procedure).model_fields["procedure"].default == procedure


def test_every_command_in_the_table_exists() -> None:
    import importlib

    import click

    from precision.cli import COMMANDS

    for name, (module, line) in COMMANDS.items():
        command = getattr(importlib.import_module(f"precision.cli.{module}"), module)
        assert isinstance(command, click.Command), name
        assert command.help, name
        assert line.endswith(".")


def test_the_links_that_people_and_type_checkers_follow_point_home() -> None:
    links = [ROOT / "precision" / name for name in MAPPED]
    if not all(link.is_symlink() for link in links):
        pytest.skip("this clone was made without symbolic links; the build does not need them")
    for link in links:
        assert link.resolve() == ROOT / link.name

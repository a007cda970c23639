"""Plans: what is wrong is said all at once, and nothing moves."""

import json
from itertools import pairwise
from pathlib import Path

import pytest


def test_the_ready_plan_is_in_order(precision) -> None:
    assert "positioning: in order" in precision("plan", "check", "positioning").stdout
    assert "positioning" in precision("plan", "list").stdout


def test_a_shown_plan_can_be_saved_changed_and_checked(precision, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(precision("plan", "show", "positioning").stdout.replace('"12000 mm/min"', '"6 m/min"'), encoding="utf-8")
    precision("plan", "check", "mine.toml")
    resolved = json.loads(precision("plan", "show", "mine.toml", "--resolved").stdout)
    assert resolved["axis"]["feed"] == "0.1 m/s"


def test_every_fault_of_a_plan_is_named_at_once(precision) -> None:
    done = precision("run", "positioning", "--set", "axis.feed=3", "--set", "cycle.run=3", "--set", "limits.A=3 K", "--set", "axis.end=1 parsec", code=2)
    for fault in ("axis.feed", "cycle.run: unknown key; allowed here: type, runs", "limits.A", "axis.end", "parsec", "mm"):
        assert fault in done.stderr
    assert "nothing was moved" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("procedure = 'surgery'", "surgery"),
        ("seed = 1\nseed = 2", "not valid TOML"),
        ("[axis]\nend = 'nan mm'", "axis.end"),
        ("[axis]\nend = '1e400 mm'", "axis.end"),
        ("[axis]\nend = '9**9**9 mm'", "axis.end"),
        ("[cycle]\nruns = 5.0", "cycle.runs"),
        ("[cycle]\nruns = true", "cycle.runs"),
        ("[axis]\nstart = '5 mm'\nend = '4 mm'", "end must lie above start"),
        ("[devices.controller]\ndriver = 'grbl'\naddress = 'tcp://10.0.0.1:23'", "never mixes"),
        (".".join("a" * 5000) + " = 1", "dotted parts"),
        ("a = " + "[" * 20000, "nested too deeply"),
        ("# " + "x" * 300_000, "256 kB"),
        ("[targets]\npositions = ['1 mm', '1 mm']", "ascending"),
        ("[devices.controller]\ndriver = 'gerbil'", "there is no driver 'gerbil'; ours are grbl"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_wrong_or_hostile_plan_is_refused_with_its_reason(precision, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    done = precision("run", "plan.toml", code=2, timeout_s=20)
    assert said in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_schema_describes_every_section_and_bounds_no_string(precision) -> None:
    schema = json.loads(precision("plan", "schema", "positioning").stdout)
    assert set(schema["properties"]) >= {"axis", "targets", "cycle", "evaluation", "uncertainty", "limits", "machine", "devices"}

    def walk(node: object) -> None:
        if isinstance(node, dict):
            assert not (node.get("type") == "string" and {"minimum", "maximum", "exclusiveMinimum"} & node.keys()), node
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(schema)


def test_a_dry_run_prints_every_target_and_moves_nothing(precision, tmp_path: Path) -> None:
    out = precision("run", "positioning", "--dry-run", "--set", "targets.count=7").stdout
    assert sum(line.startswith("target ") for line in out.splitlines()) == 7
    assert "dry run: nothing was connected and nothing moved" in out
    assert "7 targets × 5 runs × 2 directions = 70 points" in out
    assert not (tmp_path / "runs").exists()


def test_targets_have_a_random_offset_that_the_seed_fixes(precision) -> None:
    def targets(seed: int) -> list[float]:
        out = precision("run", "positioning", "--dry-run", "--seed", str(seed)).stdout
        return [float(line.split()[2]) for line in out.splitlines() if line.startswith("target ")]

    first = targets(1)
    steps = [b - a for a, b in pairwise(first)]
    assert first == targets(1) != targets(2)
    assert max(steps) - min(steps) > 1.0, "equal spacing would not sample periodic errors"


def test_a_plan_with_too_few_targets_says_so_before_the_run(precision) -> None:
    assert "asks for at least 5" in precision("run", "positioning", "--dry-run", "--set", "targets.count=3").stdout

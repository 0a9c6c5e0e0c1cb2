"""The offline commands as they are typed: exit codes, formats, sentences."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

import herald
from herald.cli.main import SECTIONS, main

GOOD = """
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Node, metadata: {name: node-1}}
  - apiVersion: metallb.io/v1beta1
    kind: IPAddressPool
    metadata: {name: p, namespace: metallb-system}
    spec: {addresses: [10.0.0.0/30]}
  - apiVersion: metallb.io/v1beta1
    kind: L2Advertisement
    metadata: {name: l, namespace: metallb-system}
    spec: {}
  - apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: shop}
    spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
OPEN = "NoReadyEndpoint: no EndpointSlice is in the input; expected: Layer 2 by node-1"
BAD_POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: bad, namespace: metallb-system}
spec: {addresses: [10.0.0.9-10.0.0.1]}
"""


def herald_command(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, list(args), input=stdin)


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.yaml").write_text(GOOD)
    return str(tmp_path / "good.yaml")


@pytest.fixture
def bad(tmp_path: Path) -> str:
    (tmp_path / "bad.yaml").write_text(BAD_POOL)
    return str(tmp_path / "bad.yaml")


def test_help_names_every_command_and_imports_none_of_them() -> None:
    code = (
        "import sys\nfrom herald.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print('LOADED', [m for m in sys.modules if m.startswith('herald.') and m not in "
        "('herald.cli', 'herald.cli.main')], 'yaml' in sys.modules, 'msgspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for section in SECTIONS.values() for name in section)
    assert done.stdout.strip().splitlines()[-1] == "LOADED [] False False"


def test_the_version_is_that_of_the_package() -> None:
    assert herald_command("--version").output == f"herald {herald.__version__}\n"


def test_completion_of_commands_works_without_importing_them() -> None:
    code = "from herald.cli.main import main; main(prog_name='herald')"
    environment = {"_HERALD_COMPLETE": "bash_complete", "COMP_WORDS": "herald pl", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "plain,plan" in done.stdout


def test_called_as_a_kubectl_plugin_it_speaks_of_kubectl(tmp_path: Path) -> None:
    plugin = tmp_path / "kubectl-herald"
    plugin.write_text(f"#!{sys.executable}\nfrom herald.cli.main import main\nmain()\n")
    words = ["plan", "-o", "nope"]
    done = subprocess.run([sys.executable, str(plugin), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Usage: kubectl herald plan" in done.stderr


@pytest.mark.parametrize(("command", "code"), [(("plan",), 2), (("lint",), 2), (("explain", "svc", "web"), 3)])
def test_called_as_a_kubectl_plugin_without_files_it_asks_the_cluster(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    plugin = tmp_path / "kubectl-herald"
    plugin.write_text(f"#!{sys.executable}\nfrom herald.cli.main import main\nmain()\n")
    words = [sys.executable, str(plugin), *command, "--kubeconfig", str(tmp_path / "none")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "the cluster cannot be read" in done.stderr


@pytest.mark.parametrize("command", ["plan", "diff", "lint", "explain", "crds"])
def test_every_help_text_has_an_example(command: str) -> None:
    result = herald_command(command, "--help")
    assert result.exit_code == 0
    assert f"herald {command}" in result.output.split("Example")[1]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("nope",), "No such command 'nope'"),
        (("plan",), "say what to read: -f PATH for manifests, or --live"),
        (("plan", "-f", "/does/not/exist"), "/does/not/exist: there is no such file or folder"),
        (("plan", "-f", "GOOD", "-o", "xml"), "'xml' is not one of"),
        (("diff", "-f", "GOOD"), "-f is needed exactly twice"),
        (("manifests", "--namespace", "Foo_x"), "'Foo_x' cannot be the name of a namespace"),
        (("pln",), "No such command 'pln'; did you mean \"plan\"?"),
        (("diff", "-f", "-", "-f", "-"), "standard input can be read once"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_exits_2_with_a_sentence(args: tuple[str, ...], sentence: str, good: str) -> None:
    result = herald_command(*(good if word == "GOOD" else word for word in args))
    assert result.exit_code == 2
    assert sentence in result.output


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("svc",), "Missing argument 'NAME'"),
        (("ip", "10.0.0.300", "-f", "GOOD"), "'10.0.0.300' is no IP address"),
        (("thing", "x", "-f", "GOOD"), "'thing' is not one of"),
        (("svc", "x", "-f", "/does/not/exist"), "/does/not/exist: there is no such file or folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_explain_has_an_exit_code_for_wrong_usage_that_is_no_verdict(
    args: tuple[str, ...], sentence: str, good: str
) -> None:
    result = herald_command("explain", *(good if word == "GOOD" else word for word in args))
    assert result.exit_code == 3
    assert sentence in result.output


def test_help_names_formats_as_they_are_typed() -> None:
    assert "[default: table]" in herald_command("plan", "--help").output


def test_a_folder_without_manifests_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    result = herald_command("plan", "-f", str(tmp_path))
    assert result.exit_code == 2
    assert "no *.yaml, *.yml, *.json file is in this folder" in result.output


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_json_and_yaml_are_the_same_document(output: str, read: Any, good: str) -> None:
    document = read(herald_command("plan", "-f", good, "-o", output).stdout)
    assert document == json.loads(herald_command("plan", "-f", good, "-o", "json").stdout)
    assert document["services"][0]["ips"] == ["10.0.0.0"]


def test_without_a_terminal_there_is_no_colour(good: str, bad: str) -> None:
    assert "\x1b" not in CliRunner().invoke(main, ["plan", "-f", good, "-f", bad], color=True).output


def test_plan_exits_0_with_problems_and_lint_exits_1(good: str, bad: str) -> None:
    planned = herald_command("plan", "-f", good, "-f", bad)
    assert planned.exit_code == 0
    assert "IPAddressPool metallb-system/bad" in planned.output
    assert herald_command("lint", "-f", good, "-f", bad).exit_code == 1


def test_lint_exits_0_with_warnings_unless_strict(good: str, tmp_path: Path) -> None:
    warned = tmp_path / "warned.yaml"
    warned.write_text(GOOD.replace("spec: {}", "spec: {ipAddressPool: [p]}"))
    assert herald_command("lint", "-f", str(warned)).exit_code == 0
    assert herald_command("lint", "-f", str(warned), "--strict").exit_code == 1
    assert json.loads(herald_command("lint", "-f", good, "-o", "json").stdout).keys() == {"problems"}


def test_standard_input_is_read_for_a_dash(good: str) -> None:
    from_stdin = herald_command("plan", "-f", "-", "-o", "json", stdin=GOOD)
    assert from_stdin.stdout == herald_command("plan", "-f", good, "-o", "json").stdout


def test_a_file_named_twice_is_read_once(good: str) -> None:
    twice = json.loads(herald_command("plan", "-f", good, "-f", str(Path(good).parent), "-o", "json").stdout)
    assert not [problem for problem in twice["problems"] if problem["rule"] == "HL204"]


def test_a_folder_is_read_to_its_depth_and_hidden_folders_are_not(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "b" / "good.yml").write_text(GOOD)
    (tmp_path / ".git" / "bad.yaml").write_text(BAD_POOL)
    (tmp_path / "a" / "pool.json").write_text(json.dumps(yaml.safe_load(BAD_POOL.replace("name: bad", "name: json"))))
    document = json.loads(herald_command("plan", "-f", str(tmp_path), "-o", "json").stdout)
    assert [row["name"] for row in document["services"]] == ["web"]
    assert {problem["name"] for problem in document["problems"] if problem["severity"] == "error"} == {"json"}


def test_a_file_that_is_not_text_spoils_only_itself(good: str, tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"kind: Caf\xe9\n")
    document = json.loads(herald_command("plan", "-f", str(tmp_path), "-o", "json").stdout)
    assert [row["ips"] for row in document["services"]] == [["10.0.0.0"]]
    assert any("latin.yaml" in problem["message"] + problem["name"] for problem in document["problems"])


@pytest.mark.parametrize(
    ("args", "code", "last"),
    [
        (("svc", "shop/web", "--assume-ready"), 0, "Announced: node-1 answers in Layer 2"),
        (("svc", "shop/web"), 1, f"Not announced: {OPEN}"),
        (("ip", "10.0.0.0", "--assume-ready"), 0, "Announced: node-1 answers in Layer 2"),
        (("pool", "p", "--assume-ready"), 0, "Announced: advertised by l; 1 Service"),
        (("node", "node-1", "--assume-ready"), 0, "Announced: answers for 1 address, sends 0 routes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_explain_ends_in_the_verdict_and_exits_with_it(args: tuple[str, ...], code: int, last: str, good: str) -> None:
    result = herald_command("explain", *args, "-f", good)
    assert result.exit_code == code
    assert result.output.strip().splitlines()[-1] == f"VERDICT    {last}"
    document = json.loads(herald_command("explain", *args, "-f", good, "-o", "json").stdout)
    assert document["kind"] == args[0]


def test_diff_shows_what_changes_and_can_say_so_by_its_exit_code(good: str, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = tmp_path / "new" / "new.yaml"
    new.write_text(GOOD.replace("10.0.0.0/30", "10.0.1.0/30"))
    result = herald_command("diff", "-f", good, "-f", str(new))
    assert result.exit_code == 0
    assert "moves   shop/web  10.0.0.0  10.0.1.0" in result.output
    assert herald_command("diff", "-f", good, "-f", str(new), "--exit-code").exit_code == 1
    assert herald_command("diff", "-f", good, "-f", good, "--exit-code").exit_code == 0


def test_crds_prints_every_kind_for_kubectl() -> None:
    documents = [d for d in yaml.safe_load_all(herald_command("crds").stdout) if d]
    assert {d["kind"] for d in documents} == {"CustomResourceDefinition"}
    assert "bgppeers.metallb.io" in {d["metadata"]["name"] for d in documents}


def test_members_are_separated_by_commas(good: str) -> None:
    args = ("plan", "-f", good, "--assume-ready", "-o", "json", "--members")
    assert json.loads(herald_command(*args, "node-1, node-9").stdout)["layer2"]
    assert not json.loads(herald_command(*args, "node-9").stdout)["layer2"]


def test_members_stand_for_the_nodes_if_the_input_has_none(tmp_path: Path) -> None:
    documents = yaml.safe_load(GOOD)
    documents["items"] = [item for item in documents["items"] if item["kind"] != "Node"]
    (tmp_path / "repository.yaml").write_text(yaml.safe_dump(documents))
    args = ("plan", "-f", str(tmp_path), "--assume-ready", "-o", "json")
    assert not json.loads(herald_command(*args).stdout)["layer2"]
    (row,) = json.loads(herald_command(*args, "--members", "a").stdout)["layer2"]
    assert row["node"] == "a"


def test_nodes_without_labels_are_named_where_a_selector_matches_none(good: str, tmp_path: Path) -> None:
    documents = yaml.safe_load(GOOD)
    documents["items"][2]["spec"] = {"nodeSelectors": [{"matchLabels": {"rack": "r1"}}]}
    (tmp_path / "racks.yaml").write_text(yaml.safe_dump(documents))
    args = ("plan", "--assume-ready", "--members", "node-1", "-f")
    assert "no label but their name" in herald_command(*args, str(tmp_path / "racks.yaml")).stdout
    assert "no label but their name" not in herald_command(*args, good).stdout


def test_lint_says_how_much_it_looked_at_and_where_a_problem_is(bad: str, tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text(BAD_POOL.replace("10.0.0.9-10.0.0.1", "10.0.0.0/24"))
    (tmp_path / "none.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n")
    assert "1 warning in 1 object." in herald_command("lint", "-f", str(tmp_path / "pool.yaml")).output
    nothing = herald_command("lint", "-f", str(tmp_path / "none.yaml"))
    assert (nothing.exit_code, "Nothing was checked" in nothing.output) == (0, True)
    assert f"error HL301 IPAddressPool metallb-system/bad ({bad}:2)" in herald_command("lint", "-f", bad).output
    (problem, *_) = json.loads(herald_command("lint", "-f", bad, "-o", "json").stdout)["problems"]
    assert problem["source"] == f"{bad}:2"


def test_what_the_schema_refuses_is_said_to_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(BAD_POOL.replace("[10.0.0.9-10.0.0.1]", "7"))
    assert "This IPAddressPool is left out." in herald_command("lint", "-f", str(tmp_path)).output


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("kustomization.yaml", "resources: [good.yaml]\n", "kubectl kustomize"),
        ("values.yaml", "metallb: {ipAddressPools: [{addresses: [10.0.0.0/24]}]}\n", "helm template"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "lint"])
def test_what_has_to_be_rendered_first_is_hinted_at(
    command: str, name: str, text: str, hint: str, good: str, tmp_path: Path
) -> None:
    assert hint not in herald_command(command, "-f", str(tmp_path)).output
    (tmp_path / name).write_text(text)
    assert herald_command(command, "-f", str(tmp_path)).output.count(hint) == 1

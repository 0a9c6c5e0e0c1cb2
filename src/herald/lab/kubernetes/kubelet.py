"""`kubectl logs`, `exec` and `delete pod` in a lab, which has no kubelet that kube-apiserver could ask.

    python -m herald.lab.kubernetes.kubelet LAB logs -n metallb-system -l component=speaker --tail=50
    python -m herald.lab.kubernetes.kubelet LAB exec -n metallb-system deploy/controller -- vtysh -c "show ip bgp"

The lab's `kubectl` calls this for the three; everything else is done by the real one. As with the real one, a selector
shows the last ten lines of each pod unless --tail says otherwise. Commands run in the network and mount namespaces of
the pod, with its environment. LAB is the lab's folder.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from herald.lab.kubernetes import deletion
from herald.lab.kubernetes.pod import KINDS, NAMESPACE, Pod, template
from herald.lab.place import Place, at

TAIL_WITH_SELECTOR = 10
WORKLOADS = {"deploy": "controller", "deployment": "controller", "ds": "speaker", "daemonset": "speaker"}


def pods(place: Place) -> list[Pod]:
    """The pods of the lab, in the order of their names."""
    folders = sorted((place.directory / "pods").iterdir())
    return [Pod(component_of(folder.name), folder.name, "", "", folder) for folder in folders]


def component_of(name: str) -> str:
    """Which component a pod is of, by its name."""
    return name.partition("-")[0]


def selected(found: Sequence[Pod], selector: str) -> list[Pod]:
    """The pods that a selector of equalities (`a=b,c=d`) selects."""
    wanted = dict(part.replace("==", "=").split("=", 1) for part in selector.split(","))
    return [pod for pod in found if wanted.items() <= pod.labels.items()]


def named(found: Sequence[Pod], target: str) -> list[Pod]:
    """The pod `NAME` or `pod/NAME`, or the first of `deploy/controller` and `ds/speaker`."""
    kind, slash, name = target.rpartition("/")
    if slash and kind in WORKLOADS:
        return [pod for pod in found if pod.component == WORKLOADS[kind] == name][:1]
    return [pod for pod in found if pod.name == name]


def last(lines: Iterator[str], count: int) -> Iterator[str]:
    """The last `count` lines; all of them when it is negative."""
    return iter(lines if count < 0 else deque(lines, maxlen=count))


def written(line: str) -> str:
    """When a line of a log was written, RFC 3339 in UTC; empty for one that does not say."""
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    return str(found.get("ts", "")) if isinstance(found, dict) else ""


def dressed(lines: Iterable[str], options: argparse.Namespace, prefix: str, now: datetime) -> Iterator[str]:
    """The lines with what --timestamps and --prefix put before them, and without those before --since."""
    first = ""
    if options.since is not None:
        first = (now - options.since).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = ""
    for line in lines:
        told = written(line) or told
        if told >= first:
            yield f"{f'[{prefix}] ' if options.prefix else ''}{f'{told} ' if options.timestamps else ''}{line}"


def duration(text: str) -> timedelta:
    """As kubectl has it: `90s`, `5m`, `1h30m`. Raises ValueError."""
    parts = re.findall(r"(\d+)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return timedelta(seconds=sum(int(number) * units[unit] for number, unit in parts))


def show_logs(place: Place, options: argparse.Namespace) -> int:
    """Print what the pods wrote, and go on with --follow."""
    found = selected(pods(place), options.selector) if options.selector else named(pods(place), options.target or "")
    if not found:
        print(f"No resources found in {options.namespace} namespace.", file=sys.stderr)  # noqa: T201
        return 0 if options.selector else 1
    is_bounded = options.selector and options.since is None
    tail = options.tail if options.tail is not None else TAIL_WITH_SELECTOR if is_bounded else -1
    if options.follow and (options.since or options.prefix or options.timestamps):
        print("the lab follows logs as they are: leave --since, --prefix and --timestamps away", file=sys.stderr)  # noqa: T201
        return 1
    if options.follow:
        files = [str(place.log(pod.name)) for pod in found]
        argv = ["tail", "-q", "-n", str(tail) if tail >= 0 else "+1", "-f", *files]
        return subprocess.run(argv, check=False).returncode
    for pod in found:
        with place.log(pod.name).open(errors="replace") as log:
            container = template(pod.component)["spec"]["containers"][0]["name"]
            lines = dressed(log, options, f"pod/{pod.name}/{container}", datetime.now(UTC))
            sys.stdout.writelines(last(lines, tail))
    return 0


def execute(place: Place, options: argparse.Namespace, command: Sequence[str]) -> int:
    """Run a command in a pod."""
    found = named(pods(place), options.target or "")
    pid = place.process(found[0].name) if found else None
    if pid is None:
        print(f'Error from server (NotFound): pods "{options.target}" not found', file=sys.stderr)  # noqa: T201
        return 1
    environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")[:-1]
    # What the image has of its own comes first: `vtysh` there is not FRR's.
    environment.append(f"PATH={place.directory / 'bin' / 'pod'}:/usr/sbin:/usr/bin:/sbin:/bin")
    argv = ["nsenter", "--target", str(pid), "--mount", "--net", "--", "env", "-i", *environment, *command]
    return subprocess.run(argv, check=False).returncode


def delete_pods(place: Place, options: argparse.Namespace) -> int:
    """End pods, and begin them anew. The first target is the word `pod`, if it has no slash."""
    names = options.targets if "/" in options.targets[0] else options.targets[1:]
    found = selected(pods(place), options.selector) if options.selector else []
    for name in names:
        match = named(pods(place), name.rpartition("/")[2])
        if not match:
            print(f'Error from server (NotFound): pods "{name}" not found', file=sys.stderr)  # noqa: T201
            return 1
        found += match
    return deletion.delete(place, found)


def parser() -> argparse.ArgumentParser:
    """The arguments: the lab's folder, then those of kubectl."""
    words = argparse.ArgumentParser(prog="kubectl", description="kubectl logs and exec, in a lab")
    words.add_argument("lab", type=Path)
    words.add_argument("-n", "--namespace", default="default")
    verbs = words.add_subparsers(dest="verb", required=True)
    for verb in ("logs", "exec"):
        of_verb = verbs.add_parser(verb)
        of_verb.add_argument("-c", "--container")
        of_verb.add_argument("target", nargs="?")
    delete = verbs.add_parser("delete")
    delete.add_argument("targets", nargs="+")
    for ignored in ("--force", "--now", "--ignore-not-found"):
        delete.add_argument(ignored, action="store_true")
    for ignored in ("--grace-period", "--timeout", "--wait"):
        delete.add_argument(ignored)
    for of_verb in verbs.choices.values():
        # Before or after the verb; what is not given after it leaves what was given before.
        of_verb.add_argument("-n", "--namespace", default=argparse.SUPPRESS)
        of_verb.add_argument("-l", "--selector")
    logs = verbs.choices["logs"]
    logs.add_argument("--tail", type=int)
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("--since", type=duration)
    for flag in ("--all-containers", "--prefix", "--timestamps"):
        logs.add_argument(flag, action="store_true")
    for flag in ("-i", "-t"):
        verbs.choices["exec"].add_argument(flag, action="store_true")
    return words


def main() -> int:
    """Entry point of `python -m herald.lab.kubernetes.kubelet`."""
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options = parser().parse_args(words[:split])
    place = at(options.lab)
    if options.namespace != NAMESPACE:
        print(f"the lab has pods in {NAMESPACE} alone: {', '.join(KINDS)}", file=sys.stderr)  # noqa: T201
        return 1
    if options.verb == "exec":
        return execute(place, options, words[split + 1 :])
    if options.verb == "delete":
        return delete_pods(place, options)
    return show_logs(place, options)


if __name__ == "__main__":
    sys.exit(main())

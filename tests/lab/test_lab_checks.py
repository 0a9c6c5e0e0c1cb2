"""What checks see in the output of real commands, cut down to what matters."""

import json
from typing import Any

import pytest

from herald.lab import checks
from herald.lab.client import answering_macs
from herald.lab.process import Result
from herald.lab.proof import Check, judged


def result(stdout: str = "", *, exit_code: int | None = 0, stderr: str = "") -> Result:
    return Result(("command",), exit_code, stdout, stderr, 0.01)


ARPING = """\
ARPING 192.168.1.200 from 192.168.1.100 eth0
Unicast reply from 192.168.1.200 [8A:49:EC:07:B6:CE]  0.612ms
Unicast reply from 192.168.1.200 [8A:49:EC:07:B6:CE]  0.580ms
Sent 2 probes (1 broadcast(s))
Received 2 response(s)
"""
TWO_OWNERS = ARPING.replace("[8A:49:EC:07:B6:CE]  0.580ms", "[8A:49:EC:07:B6:CF]  0.580ms")
MACS = {"8a:49:ec:07:b6:ce": "node-1", "8a:49:ec:07:b6:cf": "node-2"}


def test_who_answers_arping_is_told_once() -> None:
    assert answering_macs(ARPING) == ["8a:49:ec:07:b6:ce"]
    assert answering_macs("Sent 3 probes\nReceived 0 response(s)\n") == []


@pytest.mark.parametrize(
    ("output", "holds"),
    [
        pytest.param(ARPING, True, id="one node"),
        pytest.param(TWO_OWNERS, False, id="two nodes"),
        pytest.param("Received 0 response(s)\n", False, id="nobody"),
        pytest.param(ARPING.replace("8A:49", "02:00"), False, id="a stranger"),
    ],
)
def test_exactly_one_node_answers(output: str, holds: bool) -> None:
    assert checks.one_node_answers(MACS)(result(output)).holds is holds


def test_a_node_that_is_not_allowed_does_not_count() -> None:
    assert not checks.one_node_answers(MACS, {"node-2"}.__contains__)(result(ARPING)).holds


def path(hop: str, **more: Any) -> dict[str, Any]:
    return {"valid": True, "nexthops": [{"ip": hop}], **more}


BGP = json.dumps(
    {
        "paths": [
            path("192.168.1.10", multipath=True, bestpath={"overall": True}, community={"string": "64500:100"}),
            path("192.168.1.11", multipath=True, community={"string": "64500:100"}),
            path("192.168.1.12", aspath={"string": "64500 64500"}, community={"string": "64500:100"}),
        ]
    }
)


@pytest.mark.parametrize(
    ("check", "output", "holds"),
    [
        pytest.param(checks.route_via(["192.168.1.10", "192.168.1.11"]), BGP, True, id="the next hops in use"),
        pytest.param(checks.route_via(["192.168.1.10"]), BGP, False, id="one too many"),
        pytest.param(checks.no_route, "{}", True, id="unknown prefix"),
        pytest.param(checks.no_route, BGP, False, id="known prefix"),
        pytest.param(
            checks.every_path("communities", lambda one: one["community"]["string"], "64500:100"),
            BGP,
            True,
            id="all tagged",
        ),
        pytest.param(
            checks.every_path("AS path", lambda one: one["aspath"]["string"], "64500 64500"),
            BGP,
            False,
            id="some lack it",
        ),
        pytest.param(checks.every_path("any", lambda _one: 1, 1), "{}", False, id="no path at all"),
        pytest.param(
            checks.established(["192.168.1.10"]),
            '{"ipv4Unicast": {"peers": {"192.168.1.10": {"state": "Established"}, "10.0.0.9": {"state": "Idle"}}}}',
            True,
            id="session up",
        ),
        pytest.param(
            checks.established(["192.168.1.11"]),
            '{"ipv4Unicast": {"peers": {"192.168.1.11": {"state": "Active"}}}}',
            False,
            id="session down",
        ),
        pytest.param(checks.prefixes(["10.0.0.0/32"]), '{"routes": {"10.0.0.0/32": []}}', True, id="table"),
        pytest.param(checks.prefixes([]), '{"routes": {"10.0.0.0/32": []}}', False, id="table not empty"),
        pytest.param(
            checks.kernel_gateways(["192.168.1.10", "192.168.1.11"]),
            '[{"dst": "x", "nexthops": [{"gateway": "192.168.1.11"}, {"gateway": "192.168.1.10"}]}]',
            True,
            id="kernel, several gateways",
        ),
        pytest.param(
            checks.kernel_gateways(["10.0.0.1"]), '[{"dst": "x", "gateway": "10.0.0.1"}]', True, id="kernel, one"
        ),
        pytest.param(checks.kernel_gateways(["10.0.0.1"]), "[]", False, id="kernel, none"),
        pytest.param(checks.owns_none_of({"10.0.0.9"}), '[{"addr_info": [{"local": "10.0.0.9"}]}]', False, id="owned"),
        pytest.param(
            checks.owns_none_of({"10.0.0.9"}), '[{"addr_info": [{"local": "10.0.0.1"}]}]', True, id="not owned"
        ),
        pytest.param(
            checks.bird_sessions(1),
            "Name Proto Table State Since Info\nn_a BGP --- up 09:00 Established\nn_b BGP --- start 09:00 Active\n",
            True,
            id="BIRD session",
        ),
        pytest.param(
            checks.service_has("10.0.0.9"), "status: {loadBalancer: {ingress: [{ip: 10.0.0.9}]}}", True, id="service"
        ),
        pytest.param(checks.service_has("10.0.0.9"), "", False, id="service without status"),
        pytest.param(checks.shared_by({"a", "b"}, 5), "      2 a\n      3 b\n", True, id="shared"),
        pytest.param(checks.shared_by({"a", "b"}, 5), "      4 a\n", False, id="one node alone, one lost"),
        pytest.param(checks.mentions("md5keys"), "cubic md5keys:192.168.1.3/32=*** rto:204", True, id="said"),
        pytest.param(checks.mentions("md5keys"), "cubic rto:204", False, id="not said"),
        pytest.param(
            checks.speaks_with("router-1"),
            '{"data": [{"peer": "router-1", "state": "Established"}, {"peer": "router-2", "state": "Idle"}]}',
            True,
            id="a speaker's session",
        ),
        pytest.param(
            checks.speaks_with("router-2"),
            '{"data": [{"peer": "router-1", "state": "Established"}, {"peer": "router-2", "state": "Idle"}]}',
            False,
            id="a speaker's session that is not up",
        ),
    ],
)
def test_output_is_understood(check: Check, output: str, holds: bool) -> None:
    seen = judged(check, result(output))
    assert seen.holds is holds
    assert seen.text != ""


def test_output_that_cannot_be_read_is_shown_as_it_is() -> None:
    seen = judged(checks.no_route, result("% Unknown command", exit_code=1))
    assert (seen.holds, seen.text) == (False, "% Unknown command")


def test_a_command_that_hangs_is_said_to() -> None:
    assert "did not end" in judged(checks.succeeded, result(exit_code=None)).text


def problem(**fields: str) -> str:
    defaults = {"severity": "warning", "rule": "HL001", "kind": "BGPAdvertisement", "name": "a", "message": ""}
    return json.dumps({"problems": [defaults | fields]})


def test_errors_of_a_plan_are_shown() -> None:
    seen = checks.no_errors(result(problem(severity="error", message="BGPPeer metallb-system/p: bad")))
    assert (seen.holds, seen.text) == (False, "BGPPeer metallb-system/p: bad")
    assert checks.no_errors(result(problem())).holds


def test_a_warning_counts_when_it_is_about_the_object_and_says_the_words() -> None:
    check = checks.warns("BGPAdvertisement", "a", "routr", "router")
    assert check(result(problem(message="there is no peer Routr; did you mean router?"))).holds
    assert not check(result(problem(message="something else"))).holds
    assert not check(result(problem(name="b", message="routr router"))).holds


def test_the_log_is_quoted() -> None:
    line = '{"level": "info", "msg": "BGP session with router-1 established"}\n'
    assert checks.finds_lines(result(line + line)).text == '2 lines, like "BGP session with router-1 established"'
    assert checks.finds_lines(result("no JSON\n")).text == '1 line, like "no JSON"'
    assert not checks.finds_lines(result("", exit_code=1)).holds


def test_warnings_of_a_plan_are_counted() -> None:
    assert checks.no_errors(result(problem())).text == "0 errors, 1 warning"
    assert checks.no_errors(result('{"problems": []}')).text == "0 errors, 0 warnings"

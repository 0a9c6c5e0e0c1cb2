"""`herald controller`: what it refuses before it starts."""

import pytest
from click.testing import CliRunner

from herald.cli.main import main


@pytest.mark.parametrize("names", ["*.example.com", "Host", "10.0.0.300/8", "a,,b c"])
def test_a_name_that_cannot_stand_in_the_webhooks_certificate_is_refused(names: str) -> None:
    ended = CliRunner().invoke(main, ["controller", "--cert-extra-names", names])
    assert ended.exit_code == 2
    assert "is neither a DNS name in lower case nor an IP address" in ended.output

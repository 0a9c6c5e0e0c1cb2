"""`herald crds`: the CustomResourceDefinitions."""

import click

from herald.cli.inputs import DEFAULT_NAMESPACE


@click.command()
@click.option(
    "-n",
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    metavar="NAME",
    help="Namespace of the conversion webhook of BGPPeer.",
)
@click.option(
    "--webhooks/--no-webhooks",
    default=True,
    show_default=True,
    help="Whether Herald's controller converts BGPPeers between v1beta1 and v1beta2, or the API server by itself.",
)
def crds(namespace: str, webhooks: bool) -> None:
    """The CustomResourceDefinitions of metallb.io as Herald serves them, as YAML.

    They accept every manifest that MetalLB's accept. Nothing but BGPPeers of the old version v1beta1 needs the
    webhook: objects are stored, read and checked without it. With --no-webhooks (for a controller that runs with
    --webhook-mode=disabled) old peers work as well, except that timers that they leave out stay unset instead of
    becoming 0s.

    A cluster that had the webhook and is to do without it, where CRDs are applied with --server-side, needs this once
    before, since the controller has written its certificate there:

    \b
      kubectl patch crd bgppeers.metallb.io --type=json -p '[{"op":"remove","path":"/spec/conversion"}]'

    The way back is to apply them with --force-conflicts.

    \b
    Examples:
      herald crds | kubectl apply --server-side -f -
      herald crds --no-webhooks | kubectl apply --server-side -f -
    """
    from herald.api.crd import dump_yaml

    click.echo(dump_yaml(namespace, webhooks=webhooks), nl=False)

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
def crds(namespace: str) -> None:
    """The CustomResourceDefinitions of metallb.io as Herald serves them, as YAML.

    They accept every manifest that MetalLB's accept.

    \b
    Example:
      herald crds | kubectl apply --server-side -f -
    """
    from herald.api.crd import dump_yaml

    click.echo(dump_yaml(namespace), nl=False)

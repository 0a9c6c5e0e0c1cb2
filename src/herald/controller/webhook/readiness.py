"""Whether the webhooks work: what a pod must wait for before it calls itself ready."""


class Readiness:
    """Ready once a certificate is served whose CA the API server was given.

    A fault that comes later takes nothing back: what is served goes on being served.
    """

    def __init__(self) -> None:
        self._why_not: str | None = "the webhooks are starting"

    def ready(self) -> str | None:
        """None if the webhooks work, else why not: a check of /readyz."""
        return self._why_not

    def certificates_missing(self, why: str) -> None:
        """The certificate could not be put in place (yet)."""
        if self._why_not is not None:
            self._why_not = f"the webhooks have no certificate yet: {why}"

    def certificates_in_place(self) -> None:
        """Certificate and caBundle are where they must be."""
        self._why_not = None

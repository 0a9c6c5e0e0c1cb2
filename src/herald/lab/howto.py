"""The manifests of the how-tos that the lab proves, as users have them: a folder per how-to, a file per step.

Names, addresses and fields are the users'; where a how-to speaks of a Service without showing it, the file says so.
"""

from dataclasses import dataclass
from importlib import resources

from herald.lab.cluster import Object, documents


@dataclass(frozen=True, slots=True)
class HowTo:
    """One how-to's folder of manifests."""

    folder: str

    def text(self, name: str) -> str:
        """The file `name` (with or without .yaml) as it stands."""
        file = name if name.endswith(".yaml") else f"{name}.yaml"
        return resources.files("herald.lab").joinpath("manifests", self.folder, file).read_text()

    def objects(self, name: str) -> list[Object]:
        """The objects of the file `name`, in order."""
        return documents(self.text(name))

    def object(self, name: str, object_name: str) -> Object:
        """The object called `object_name` of the file `name`. KeyError when there is none."""
        for document in self.objects(name):
            if document["metadata"]["name"] == object_name:
                return document
        raise KeyError(f"{self.folder}/{name} has no object {object_name}")

    def files(self) -> list[str]:
        """Names of all files of this how-to, sorted."""
        folder = resources.files("herald.lab").joinpath("manifests", self.folder)
        return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))

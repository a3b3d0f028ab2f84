"""Pictures of the plots of a data set, for the README."""

import io

from helpers import Project
from PIL import Image


def test_two_plots_become_pictures(project: Project) -> None:
    paths = ("docs/confusion.png", "docs/history.png")
    for path in paths:
        (project.folder / path).unlink()
    project.here("tools.plots.pictures", "digits")
    first = project.files(*paths)
    assert set(first) == set(paths)
    for content in first.values():
        picture = Image.open(io.BytesIO(content))
        assert picture.format == "PNG"
        assert min(picture.size) > 100
    assert first[paths[0]] != first[paths[1]]
    project.here("tools.plots.pictures", "digits")
    assert project.files(*paths) == first

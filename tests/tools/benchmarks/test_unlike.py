"""The benchmark of what is told to be unlike the training images has a row for each kind of images."""

from helpers import TWIN, Project


def test_every_kind_of_images_is_judged_by_every_data_set(finished: Project) -> None:
    lines = finished.run("python", "-m", "tools.benchmarks.unlike").stdout.splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert header == ["images", "digits", TWIN]
    shares = {kind: cells for kind, *cells in rows}
    assert shares["noise"] == shares["sparse noise"] == shares["pieces of photographs"] == ["100.0%"] * 2
    for position, name in enumerate(header[1:]):
        assert float(shares["its own test images"][position].rstrip("%")) < 3
        assert shares[f"test images of {name}"][position] == ""  # which the row above has
    assert shares["pieces of photographs, framed"] == ["", ""]  # neither has a framing

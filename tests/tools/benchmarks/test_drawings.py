"""Drawings of numerals: the same for a seed, with ink on them, and refused without their typefaces."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from stages.common.errors import UserError
from tools.benchmarks import drawings, writing

# One typeface for all, which every installation has.
FONTS = dict.fromkeys(
    (*drawings.HANDWRITING, *drawings.PRINT), Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
)


@pytest.mark.parametrize("kind", ["plain", "phone"])
@pytest.mark.parametrize("digit", writing.WRITING)
def test_a_seed_decides_the_picture_and_ink_is_on_it(digit: str, kind: drawings.Kind) -> None:
    first, again, other = (
        np.asarray(drawings.draw_picture(digit, kind, 15.0, FONTS, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    assert first.dtype == np.uint8
    assert all(200 <= side <= 640 for side in first.shape)
    assert np.ptp(first.astype(int)) > 60


def test_typefaces_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings, "FONT_FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"found no ComicNeue-Regular; run as root: apt-get install "):
        drawings.find_fonts()
    for name in FONTS:
        (tmp_path / f"{name}.ttf").touch()
    assert drawings.find_fonts().keys() == FONTS.keys()

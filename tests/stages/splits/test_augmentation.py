"""Distorted training images: by how much, of which seed, and never those that score."""

import numpy as np
import pytest
import scipy.ndimage

from stages.common.backend import tf
from stages.common.fields import Augmentation
from stages.splits import batches
from stages.splits.arrays import Split
from stages.splits.augmentation import augment

COUNT, HEIGHT, WIDTH = 200, 21, 25
LARGEST_PIXEL = 255
SEED = [3, 4]


def distorted(images: np.ndarray, seed: list[int] | None = None, **by: object) -> np.ndarray:
    return augment(
        tf.constant(images), Augmentation(**by), LARGEST_PIXEL, tf.constant(seed or SEED, tf.int64)
    ).numpy()


def blobs(dtype: type = np.float32) -> np.ndarray:
    """A Gaussian blob, right of the middle, in each image."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    blob = 200 * np.exp(-((y - 10) ** 2 + (x - 15) ** 2) / 8)
    return np.repeat(blob[None], COUNT, axis=0).astype(dtype)


def centres(images: np.ndarray) -> np.ndarray:
    """The centre of mass of each image, shape (n, 2)."""
    return np.array([scipy.ndimage.center_of_mass(image) for image in images])


def test_nothing_is_changed_by_nothing() -> None:
    assert np.array_equal(distorted(blobs()), blobs())


@pytest.mark.parametrize("by", [{"shift": 1e-9}, {"rotation": 1e-9}, {"scaling": 1e-9}, {"elastic": 1e-9}])
def test_next_to_nothing_changes_next_to_nothing(by: dict[str, float]) -> None:
    assert np.allclose(distorted(blobs(), **by), blobs(), atol=1e-3)


def test_a_shift_moves_evenly_up_to_its_pixels() -> None:
    moved = centres(distorted(blobs(), shift=3)) - [10, 15]
    for axis in (0, 1):
        assert 2.8 < abs(moved[:, axis]).max() <= 3.01
        assert moved[:, axis].std() == pytest.approx(3 / np.sqrt(3), rel=0.1)


def test_a_rotation_turns_about_the_middle_up_to_its_degrees() -> None:
    y, x = (centres(distorted(blobs(), rotation=30)) - [10, 12]).T
    degrees = np.degrees(np.arctan2(y, x))
    assert np.allclose(np.hypot(y, x), 3, atol=0.05)
    assert 28 < degrees.max() <= 30.1
    assert -30.1 <= degrees.min() < -28


def test_scaling_is_by_as_much_up_as_down() -> None:
    distance = (centres(distorted(blobs(), scaling=0.25)) - [10, 12])[:, 1] / 3
    assert 1.22 < distance.max() <= 1.26
    assert 0.79 <= distance.min() < 0.82


def test_a_flip_mirrors_half_of_the_images_and_nothing_else() -> None:
    images = blobs()
    found = distorted(images, flip=True)
    mirrored = [np.array_equal(image, images[0][:, ::-1]) for image in found]
    same = [np.array_equal(image, images[0]) for image in found]
    assert sum(mirrored) + sum(same) == COUNT
    assert sum(mirrored) == pytest.approx(COUNT / 2, abs=3 * np.sqrt(COUNT) / 2)


def test_a_bend_moves_each_place_by_its_deviation_and_neighbours_alike() -> None:
    # Images of their own coordinates, without edges in sight, tell where each pixel came from.
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for of in (y, x):
        moved = (distorted(np.repeat(of[None], COUNT, axis=0), elastic=0.5) - of)[:, 3:-3, 3:-3]
        assert abs(moved.mean()) < 0.05
        assert moved.std(axis=0) == pytest.approx(0.5, rel=0.25)
        next_to_it = np.corrcoef(moved[:, :, 1:].ravel(), moved[:, :, :-1].ravel())[0, 1]
        far_away = np.corrcoef(moved[:, :, 14:].ravel(), moved[:, :, :-14].ravel())[0, 1]
        assert next_to_it > 0.95
        assert abs(far_away) < 0.2


def test_it_is_what_scipy_computes() -> None:
    images = np.random.default_rng(0).uniform(0, 255, (1, HEIGHT, WIDTH)).astype(np.float32)
    found = distorted(images, shift=2, rotation=20, scaling=0.2)[0]
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    # Where each pixel came from, by distorting the coordinates, whose edges are cut.
    from_y, from_x = (distorted(of[None], shift=2, rotation=20, scaling=0.2)[0] for of in (y, x))
    inside = (slice(6, -6), slice(6, -6))
    expected = scipy.ndimage.map_coordinates(images[0], [from_y, from_x], order=1)
    assert np.allclose(found[inside], expected[inside], atol=0.01)


def test_the_edge_is_repeated_where_that_is_asked_for() -> None:
    plain = np.full((COUNT, HEIGHT, WIDTH), 100, np.uint8)
    assert (distorted(plain, shift=5, rotation=40, fill="edge") == 100).all()
    assert (distorted(plain, shift=5, rotation=40) == 0).any()


def test_colours_change_each_channel_by_itself_within_what_pixels_may_be() -> None:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, HEIGHT, WIDTH, 3)).astype(np.uint8)
    changed = distorted(images, colour=0.5).astype(int)
    assert 0 <= changed.min() <= changed.max() <= LARGEST_PIXEL
    means = changed.mean(axis=(1, 2)) - images.mean(axis=(1, 2))
    assert 50 < np.abs(means).max() < 0.5 * LARGEST_PIXEL / 2 + 10  # half of the largest pixel, times 0.5
    assert abs(means.mean()) < 5
    assert abs(np.corrcoef(means[:, 0], means[:, 1])[0, 1]) < 0.3
    smaller = distorted(images // 16, colour=0.5)
    assert smaller.max() > 15  # of a range up to 255, whatever these images have


def test_colours_leave_places_alone() -> None:
    halves = np.full((COUNT, HEIGHT, WIDTH), 60, np.uint8)
    halves[:, :, WIDTH // 2 :] = 160
    changed = distorted(halves, colour=0.3)
    assert (changed[:, :, : WIDTH // 2] == changed[:, :1, :1]).all()
    assert (changed[:, :, WIDTH // 2 :] == changed[:, :1, -1:]).all()
    contrast = (changed[:, 0, -1].astype(int) - changed[:, 0, 0]) / 100
    assert contrast.max() == pytest.approx(np.exp(0.3), abs=0.05)
    assert contrast.min() == pytest.approx(np.exp(-0.3), abs=0.05)


def test_erasing_turns_one_rectangle_of_its_share_of_the_images_into_noise() -> None:
    plain = np.full((20_000, HEIGHT, WIDTH), 300, np.int16)  # no noise is as bright
    found = distorted(plain, erasing=0.3)
    erased = found < 300
    rows, columns = erased.any(axis=2), erased.any(axis=1)
    sizes = rows.sum(axis=1) * columns.sum(axis=1)
    assert np.array_equal(erased.sum(axis=(1, 2)), sizes)  # nothing is left inside of its rows and columns
    for sides in (rows, columns):  # which are without gaps, and lie anywhere
        starts = np.diff(sides.astype(int), axis=1, prepend=0) == 1
        assert starts.sum(axis=1).max() == 1
        shares = sides[sizes > 0].mean(axis=0)
        assert shares.min() > 0.04
        assert shares == pytest.approx(shares[::-1], abs=0.05)  # as often at either edge
    assert (sizes > 0).mean() == pytest.approx(0.3, abs=0.04)
    shares = sizes[sizes > 0] / (HEIGHT * WIDTH)
    assert 0 < shares.min() < 0.04
    assert 0.3 < shares.max() < 0.4  # of 0.33; rows and columns are whole
    noise = found[erased]
    assert np.bincount(noise) == pytest.approx(np.full(256, noise.size / 256), rel=0.1)
    heights, widths = rows.sum(axis=1)[sizes > 0], columns.sum(axis=1)[sizes > 0]
    assert 2 < (heights / widths).max() < 6
    assert 2 < (widths / heights).max() < 6


def test_an_erased_rectangle_is_behind_all_other_distortions() -> None:
    by = {"shift": 2, "flip": True, "colour": 0.2}
    moved, erased = distorted(blobs(), **by), distorted(blobs(), erasing=0.5)
    assert np.array_equal(distorted(blobs(), **by, erasing=0.5), distorted(moved, erasing=0.5))
    assert not np.array_equal(distorted(blobs(), **by, erasing=0.5), distorted(erased, **by))


def test_noise_of_channels_differs_in_one_rectangle() -> None:
    plain = np.full((COUNT, HEIGHT, WIDTH, 3), 300, np.int16)
    found = distorted(plain, erasing=1.0)
    erased = found < 300
    assert np.array_equal(erased[..., 0], erased[..., 1])
    assert abs(np.corrcoef(found[erased[..., 0]][:, 0], found[erased[..., 0]][:, 1])[0, 1]) < 0.02


def test_what_comes_in_from_beyond_the_edges_is_dark() -> None:
    white = np.full((COUNT, HEIGHT, WIDTH), 255, np.uint8)
    found = distorted(white, shift=5)
    assert (found == 0).any(axis=(1, 2)).mean() > 0.9
    assert (found[:, 6:-6, 6:-6] == 255).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_type_and_shape_stay(dtype: type, channels: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 200, (7, HEIGHT, WIDTH, *channels)).astype(dtype)
    found = distorted(images, shift=2, rotation=10, scaling=0.1, elastic=1, flip=True, erasing=0.5)
    assert found.dtype == dtype
    assert found.shape == images.shape
    assert not np.array_equal(found, images)


def test_channels_move_together() -> None:
    grey = np.random.default_rng(0).integers(0, 200, (7, HEIGHT, WIDTH)).astype(np.uint8)
    by = {"shift": 2, "rotation": 10, "elastic": 1, "flip": True}
    of_colour = distorted(np.stack([grey, grey], axis=-1), **by)
    for channel in range(2):
        assert np.array_equal(of_colour[..., channel], distorted(grey, **by))


@pytest.mark.parametrize(
    "by", [{"shift": 2, "rotation": 10, "scaling": 0.1, "elastic": 1, "flip": True}, {"erasing": 0.5}]
)
def test_the_seed_decides(by: dict[str, object]) -> None:
    assert np.array_equal(distorted(blobs(), **by), distorted(blobs(), **by))
    for seed in ([3, 5], [4, 4]):
        assert not np.array_equal(distorted(blobs(), seed, **by), distorted(blobs(), **by))


def epochs_of(split: Split, seed: int, augmentation: Augmentation) -> list[np.ndarray]:
    taken = (
        batches.shuffled_batches(split, 2, 8, seed, augmentation=augmentation, largest_pixel=255)
        .take(6)
        .as_numpy_iterator()
    )  # two epochs
    images = [image for image, _ in taken]
    return [np.concatenate(images[:3]), np.concatenate(images[3:])]


def test_each_epoch_and_each_batch_is_distorted_in_another_way() -> None:
    split = Split(blobs(np.uint8)[:24], np.zeros(24, np.uint8))  # so the order makes no difference
    first, second = epochs_of(split, 0, Augmentation(shift=2))
    assert len({image.tobytes() for image in [*first, *second]}) > 40
    again = epochs_of(split, 0, Augmentation(shift=2))
    assert np.array_equal([first, second], again)
    assert not np.array_equal(first, epochs_of(split, 1, Augmentation(shift=2))[0])
    assert all(np.array_equal(image, split.images[0]) for image in epochs_of(split, 0, Augmentation())[0])

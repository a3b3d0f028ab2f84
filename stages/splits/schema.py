"""Schema of the parameters that preprocess reads."""

from stages.common.fields import Classes, LargestPixel, Positive, Seed
from stages.common.validation import Section
from stages.sources.schema import RawFiles


class PreprocessParameters(Section):
    """The parameters of a data set that its splits depend on.

    Attributes:
        files: the raw files, which preprocess checks before it reads them.
        classes: the names of the classes, in the order of their labels.
        largest_pixel: the largest value that a pixel may have.
        validation_images: how many training images are held out for validation.
        seed: the seed of the held-out split.
    """

    files: RawFiles
    classes: Classes
    largest_pixel: LargestPixel
    validation_images: Positive
    seed: Seed

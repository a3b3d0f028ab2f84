"""The number of dimensions of an image, and of a batch of images."""

GREY_IMAGE_NDIM = 2  # height, width
GREY_BATCH_NDIM = 3  # images, height, width
COLOUR_IMAGE_NDIM = 3  # height, width, channels
COLOUR_BATCH_NDIM = 4  # images, height, width, channels

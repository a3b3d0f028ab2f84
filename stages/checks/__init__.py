"""Checks of images and labels before training: leaks, twins, classes with few images, odd brightness."""

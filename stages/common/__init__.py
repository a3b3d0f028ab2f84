"""Files, checksums, errors, seeds and paths, which every stage uses."""

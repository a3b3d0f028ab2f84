"""Files, checksums, errors, seeds and paths, shared by the rooms and the stages."""

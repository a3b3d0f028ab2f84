"""The end of a merge: results that two branches have changed become those of the merged parameters."""

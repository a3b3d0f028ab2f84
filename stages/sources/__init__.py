"""Sources of data sets: mirrors, archives, folders of pictures, scikit-learn; and the IDX format."""

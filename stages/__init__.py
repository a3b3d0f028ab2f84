"""The pipeline: fetch, preprocess, train and evaluate."""

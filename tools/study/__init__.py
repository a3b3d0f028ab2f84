"""How accurate the configurations of params.yaml are, measured with several seeds: docs/accuracy.md."""

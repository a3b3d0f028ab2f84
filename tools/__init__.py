"""Tools that people run beside the pipeline; no stage imports them."""

"""The trained network in use: predictions for images of one's own, and its model card."""

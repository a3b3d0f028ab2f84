"""Git, DVC, revisions and Markdown, which several tools use."""

"""What a change did to the results: two revisions of the project, compared from git alone."""

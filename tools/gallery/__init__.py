"""Images of predictions to choose from, by a confusion matrix and filters: a part of web pages."""

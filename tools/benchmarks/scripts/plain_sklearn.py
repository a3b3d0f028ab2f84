"""scikit-learn's network, which has neither dropout nor batch normalisation."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tools.benchmarks.scripts.job import JOB, Stopwatch, images_and_labels

warnings.simplefilter("ignore", ConvergenceWarning)  # it is asked for one epoch at a time
stopwatch = Stopwatch()
images, labels = images_and_labels("train")
validation = images_and_labels("validation")
model = MLPClassifier(JOB.hidden, batch_size=JOB.batch_size, max_iter=1, warm_start=True)
for _ in range(JOB.epochs):
    stopwatch.start()
    model.fit(images, labels)
    stopwatch.stop()
    if stopwatch.validated(model.score(*validation)):
        break
stopwatch.print()

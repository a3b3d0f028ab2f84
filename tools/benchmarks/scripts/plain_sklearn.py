"""Training with scikit-learn's network, which has neither dropout nor batch normalisation."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tools.benchmarks.scripts.job import JOB, Stopwatch, read_split

warnings.simplefilter("ignore", ConvergenceWarning)  # each call of `fit` is one epoch
stopwatch = Stopwatch()
images, labels = read_split("train")
validation = read_split("validation")
model = MLPClassifier(JOB.hidden, batch_size=JOB.batch_size, max_iter=1, warm_start=True)
for _ in range(JOB.epochs):
    stopwatch.start()
    model.fit(images, labels)
    stopwatch.stop()
    if stopwatch.is_goal_reached(model.score(*validation)):
        break
stopwatch.print()

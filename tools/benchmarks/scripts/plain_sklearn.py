"""Training with scikit-learn's network, which has neither dropout nor batch normalisation."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tools.benchmarks.scripts.job import BATCH_SIZE, EPOCHS, NETWORK, Stopwatch, read_split

warnings.simplefilter("ignore", ConvergenceWarning)  # each call of `fit` is one epoch
stopwatch = Stopwatch()
images, labels = read_split("train")
pixels = images.reshape(len(images), -1)
model = MLPClassifier(NETWORK.hidden, batch_size=BATCH_SIZE, max_iter=1, warm_start=True)
for _ in range(EPOCHS):
    stopwatch.start()
    model.fit(pixels, labels)
    stopwatch.stop()
stopwatch.print(sum(weights.size for weights in model.coefs_))

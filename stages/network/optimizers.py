"""Optimisers and the learning-rate schedule."""

from stages.common.backend import keras, tf
from stages.network.schema import Training


class AdamW(keras.optimizers.Adam):  # type: ignore[misc]
    """`keras.optimizers.AdamW` in one pass over the weights, where Keras takes a dozen.

    TensorFlow has an operation that updates weights and moments at once.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.
    """

    def __init__(
        self, learning_rate: keras.optimizers.schedules.LearningRateSchedule, weight_decay: float
    ) -> None:
        """Start without moments.

        Args:
            learning_rate: the rate of each step.
            weight_decay: the share of a weight that a step takes away, times the learning rate.
        """
        super().__init__(learning_rate)
        self.decoupled_decay = weight_decay  # Keras itself would act on the name `weight_decay`

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Update one variable and its moments."""
        step = tf.cast(self.iterations + 1, tf.float32)
        first, second = tf.constant(self.beta_1), tf.constant(self.beta_2)
        index = self._get_variable_index(variable)
        variable.assign(variable * (1 - learning_rate * self.decoupled_decay))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(first, step),
            beta2_power=tf.pow(second, step),
            lr=learning_rate,
            beta1=first,
            beta2=second,
            epsilon=self.epsilon,
            grad=gradient,
        )


def build_optimizer(training: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return the optimiser of a training, with its learning-rate schedule.

    RMSprop is none of them: Keras writes it with rsqrt, whose last bits differ between processors.
    """
    schedule = build_schedule(training, steps_per_epoch)
    match training.optimizer:
        case "AdamW":
            return AdamW(schedule, training.weight_decay)
        case "SGD":
            return keras.optimizers.SGD(
                schedule, training.momentum, nesterov=True, weight_decay=training.weight_decay
            )


def build_schedule(
    training: Training, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate by step: a linear rise over the warm-up, then a cosine or a constant."""
    warmup_steps = training.warmup_epochs * steps_per_epoch
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=training.learning_rate,
        warmup_steps=warmup_steps,
        decay_steps=training.epochs * steps_per_epoch - warmup_steps,
        alpha={"cosine": 0.0, "constant": 1.0}[training.schedule],  # the share left at the end
    )

"""Run a loop to its end: chunk by chunk, watched, kept in checkpoints, shown."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from components.train.checkpoint import Checkpoints, Snapshot, StopSignal, TrainingInterruptedError
from components.train.examples.split import TrainingSplit
from components.train.loop import Loop
from components.train.nodes.collective import Nodes, OwnWork
from components.train.nodes.lost import Deadline, lost_nodes_end_the_attempt
from components.train.nodes.statistics import drifting
from components.train.shown.progress import Report
from components.train.trainee import Trainee, correct, plain_metrics
from deep_mnist.doctor.rehearsal.watchdog import Watch

CHUNK_SECONDS = 0.5  # of steps between two looks at signals, health and the clock
SCORED = 1000  # examples at a time


class TrainingRun:
    """One training from wherever its checkpoint stands to its end."""

    def __init__(
        self,
        loop: Loop,
        validation: TrainingSplit,
        checkpoints: Checkpoints,
        watch: Watch,
        report: Report,
        nodes: Nodes | None = None,
    ) -> None:
        self.loop, self.checkpoints, self.watch, self.report = loop, checkpoints, watch, report
        self.nodes = nodes or Nodes()
        self._deadline = Deadline()
        self.scorer = Scorer(loop.trainee, validation)
        self.history: list[dict[str, Any]] = []
        self.first_call_seconds = 0.0
        self._chunk = 8
        self._seconds = 0.0
        self.work = OwnWork(self.nodes.place.count)

    def run(self) -> list[dict[str, Any]]:
        """Train all epochs that are left and return one record for each epoch.

        Raises:
            UnhealthyTrainingError: The watchdog ended it.
            TrainingInterruptedError: SIGTERM; the checkpoint is written.
            NodeLostError: Another node has gone.
        """
        together = self.nodes.place.count > 1
        with lost_nodes_end_the_attempt(active=together), self._deadline if together else nullcontext():
            return self._run()

    def _run(self) -> list[dict[str, Any]]:
        at = self._resume()
        with StopSignal(active=self.checkpoints.store is not None) as stop, self.report:
            for epoch in range(at.epoch, self.loop.recipe.epochs):
                self._epoch(epoch, at.step if epoch == at.epoch else 0, stop)
            self.checkpoints.finish(self._snapshot(self.loop.recipe.epochs, 0))
        return self.history

    def _resume(self) -> Snapshot:
        self.checkpoints.sweep()
        at = self.checkpoints.load()
        if at.arrays:
            self.loop.restore(at.arrays)
        self.history, self._seconds = list(at.history), at.seconds
        places = self.nodes.table([at.epoch, at.step])
        if (places != places[0]).any():
            raise RuntimeError(f"Expected all nodes to go on from one checkpoint. Received: {places.tolist()}.")
        return at

    def _epoch(self, epoch: int, step: int, stop: StopSignal) -> None:
        loop = self.loop
        while step < loop.steps_per_epoch:
            last = min(loop.steps_per_epoch, step + self._chunk)
            self._train(epoch, step, last)
            step = last
            done = epoch * loop.steps_per_epoch + step
            sums, results = loop.sums.numpy(), loop.results()
            if self.nodes.place.is_first:
                self.watch.check(done, sums, loop.batch)
            self.report.step(done, results)
            self._keep(epoch, step, stop)
        self._close(epoch)

    def _train(self, epoch: int, first: int, last: int) -> None:
        began = time.perf_counter()
        self.loop.run(epoch, first, last)
        self.loop.sums.numpy()  # waits for the device
        seconds = self._agree(time.perf_counter() - began, last - first)
        self._seconds += seconds
        self.first_call_seconds = self.first_call_seconds or seconds
        if seconds < CHUNK_SECONDS:
            self._chunk *= 2
        elif seconds > 4 * CHUNK_SECONDS:
            self._chunk = max(1, self._chunk // 2)

    def _agree(self, seconds: float, steps: int) -> float:
        """Return the longest seconds of all nodes, for all to decide alike."""
        self._deadline.beat()
        own = float(self.loop.own_seconds.numpy())
        self.loop.own_seconds.assign(0.0)
        table = self.nodes.table([seconds, own])
        if self.first_call_seconds:  # the first call traces and compiles
            self.work.add(table[:, 1], steps)
        return float(table[:, 0].max())

    def _keep(self, epoch: int, step: int, stop: StopSignal) -> None:
        received, due = self.nodes.table([stop.received, self.checkpoints.due()]).max(axis=0).astype(int)
        if received:
            kept = self.checkpoints.save(self._snapshot(epoch, step))
            end = "the next attempt goes on from here" if kept else "no checkpoint could be written"
            print(f"train: ended by signal {received} after step {step} of epoch {epoch + 1}; {end}", flush=True)
            raise TrainingInterruptedError(128 + int(received))
        if due:
            self.checkpoints.save(self._snapshot(epoch, step))

    def _snapshot(self, epoch: int, step: int) -> Snapshot:
        self.nodes.average(drifting(self.loop.trainee.model))
        return Snapshot(epoch, step, self._seconds, self.history, self.loop.state())

    def _close(self, epoch: int) -> None:
        """Score a finished epoch and record it."""
        results = self.loop.results()
        self.nodes.average(drifting(self.loop.trainee.model))
        validation = {f"val_{name}": value for name, value in self._score().items()}
        images = self.loop.steps_per_epoch * self.loop.batch
        record = {
            "epoch": epoch + 1,
            **results,
            **validation,
            "seconds": self._seconds,
            "images_per_second": images / max(self._seconds, 1e-9),
            "learning_rate": float(np.asarray(self.loop.trainee.model.optimizer.learning_rate)),
        }
        self.history.append(record)
        self._seconds = 0.0
        self.report.epoch(record)

    def _score(self) -> dict[str, float]:
        """Score on the first node; the user's own metrics are variables that all nodes touch together."""
        scores = self.nodes.place.is_first or self.loop.trainee.own
        return self.scorer.score() if scores else {"loss": 0.0, "accuracy": 0.0}


class Scorer:
    """Measures a model on a split, without training it."""

    def __init__(self, trainee: Trainee, split: TrainingSplit) -> None:
        self.trainee, self.split = trainee, split
        self._forward = tf.function(
            lambda images: trainee.model(images, training=False), reduce_retracing=True, autograph=False
        )

    def score(self) -> dict[str, float]:
        """Return mean loss, accuracy, and the user's own metrics."""
        model, losses, correct_count = self.trainee.model, 0.0, 0.0
        if self.trainee.own:
            model.reset_metrics()
        for first in range(0, len(self.split), SCORED):
            images = tf.constant(np.asarray(self.split.images[first : first + SCORED]))
            labels = tf.constant(np.asarray(self.split.labels[first : first + SCORED]))
            predicted = self._forward(images)
            losses += float(self.trainee.measure(images, labels, predicted)) * len(images)
            correct_count += float(correct(labels, predicted))
            if self.trainee.own:
                model.compute_metrics(images, labels, predicted)
        own = plain_metrics(model) if self.trainee.own else {}
        return {**own, "loss": losses / len(self.split), "accuracy": correct_count / len(self.split)}

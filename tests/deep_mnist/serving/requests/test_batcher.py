"""Requests that wait together are predicted together, each with its own answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from deep_mnist.serving.requests.batcher import DynamicBatcher
from deep_mnist.serving.requests.prediction import PendingPrediction, predict_together
from deep_mnist.serving.requests.v1 import read_v1
from tests.support.serving import RunningServer

WAIT = 60
Digits = tuple[np.ndarray, np.ndarray]


def request_of(server: RunningServer, images: np.ndarray, signature: str = "serving_default") -> PendingPrediction:
    """Return a validated request of images."""
    assert server.champion.model is not None
    asked = read_v1(f'{{"instances": [[[0]]], "signature_name": "{signature}"}}'.encode())
    return PendingPrediction(server.champion.model, asked, images, Future())


def test_what_comes_while_a_batch_is_predicted_is_the_next_batch(served: RunningServer, digits: Digits) -> None:
    """One thread predicts, others leave their requests to it: bounded by rows, and of one signature and shape."""
    began, go_on, sizes = threading.Event(), threading.Event(), list[list[int]]()

    def predict(batch: Sequence[PendingPrediction]) -> None:
        began.set()
        go_on.wait(WAIT)
        sizes.append([len(each.images) for each in batch])
        for each in batch:
            each.outcome.set_result(f"answer of {len(each.images)}")

    batcher, requests = DynamicBatcher(predict, rows=8, seconds=0), [request_of(served, digits[0][:1])]
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(batcher.put, requests[0])
        assert began.wait(WAIT)
        requests += [request_of(served, digits[0][:count]) for count in (3, 4, 2)]
        requests.append(request_of(served, digits[0][:1, ..., np.newaxis]))
        for each in requests[1:]:
            batcher.put(each)
        go_on.set()
        leader.result(WAIT)

    assert sizes == [[1], [3, 4], [2], [1]]
    assert all(each.outcome.done() and "wait" in each.stages.seconds for each in requests)


def test_the_first_of_a_batch_may_wait_for_others(served: RunningServer, digits: Digits) -> None:
    """A batch that is full does not wait on; a request of a whole batch waits for nobody."""
    sizes = list[int]()

    def predict(batch: Sequence[PendingPrediction]) -> None:
        sizes.append(len(batch))

    batcher = DynamicBatcher(predict, rows=2, seconds=WAIT)
    batcher.put(request_of(served, digits[0][:2]))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(batcher.put, request_of(served, digits[0][:1])) for _ in range(2)]:
            done.result(WAIT)

    assert sizes == [1, 2]


def test_a_batch_predicts_what_its_requests_would_alone(served: RunningServer, digits: Digits) -> None:
    """Answers keep their order and their size; warnings speak of the request's own rows."""
    images = digits[0][:6]
    batch = [request_of(served, part) for part in (images[:1], 255 - images[1:3], images[3:])]
    counted = list[int]()
    predict_together(batch, lambda _model, _compared, shares, requests: counted.extend((len(shares), requests)))
    alone = [request_of(served, each.images) for each in batch]
    for each in alone:
        predict_together([each], lambda *_: None)

    assert counted == [6, 3]
    assert [b'"warnings"' in each.outcome.result().body for each in batch] == [False, True, False]
    assert [len(each.outcome.result().body) // 100 for each in batch] == [
        len(each.outcome.result().body) // 100 for each in alone
    ]


def test_one_request_that_fails_costs_no_other_its_answer(served: RunningServer, digits: Digits) -> None:
    """A batch that the server's own fault stops is told so, and the next is predicted."""

    def broken(batch: Sequence[PendingPrediction]) -> None:
        if len(batch[0].images) == 3:
            raise ZeroDivisionError
        predict_together(batch, lambda *_: None)

    batcher = DynamicBatcher(broken, rows=8, seconds=0)
    faulty, sound = (request_of(served, digits[0][:count]) for count in (3, 2))
    batcher.put(faulty)
    batcher.put(sound)

    assert isinstance(faulty.outcome.exception(), ZeroDivisionError)
    assert sound.outcome.result().body


def test_requests_at_once_get_their_own_predictions(served: RunningServer, digits: Digits) -> None:
    """Sixteen clients at once, over HTTP: each the class of its own image, and batches of several were counted."""
    images = digits[0][:160]
    expected = served.classes(images)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda image: served.classes(image[np.newaxis])[0], images))

    assert found == expected
    text = served.get("metrics").text
    counts = {
        line.split()[0]: float(line.split()[1]) for line in text.splitlines() if "_batch_" in line and line[0] != "#"
    }
    assert counts["deep_mnist_serving_batch_examples_sum"] >= 320
    assert counts["deep_mnist_serving_batch_requests_count"] <= counts["deep_mnist_serving_batch_requests_sum"]

"""What a network of a class of its own does, by the source of its call(), which is not run: a chain of layers."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from deep_mnist.doctor.evidence.live.own_code import OF_KERAS

ACTIVATIONS = ("elu", "gelu", "leaky_relu", "log_softmax", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus",
               "swish", "silu", "tanh")  # fmt: skip
SAME_NUMBERS = ("cast", "convert_to_tensor", "identity", "ensure_shape")
ONLY_IN_TRAINING = ("Dropout", "SpatialDropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "Random")
DEEPEST = 3  # classes of one's own inside of one another
MOST_STEPS = 500
Layer = dict[str, Any]  # as a configuration holds it: {"class_name", "config"}
Chain = tuple[Layer, ...]


class _UnreadError(Exception):
    """The source has a form that this module does not follow."""


def as_sequential(model: Any, serialize: Callable[[Any], Any], shape: Sequence[int | None] | None) -> Layer | None:
    """Return the configuration of a sequential model that does what call() does, None where it is no chain of layers.

    Args:
        model: Of a class with a call() of its own; it is left as it is.
        serialize: keras.saving.serialize_keras_object of the model's Keras.
        shape: Of one example; None where it is unknown.
    """
    try:
        chain = _chain_of(model, serialize, DEEPEST)
    except (_UnreadError, RecursionError):
        return None
    used: dict[str, int] = {}
    for each in chain:
        name = each["config"]["name"]
        used[name] = used.get(name, 0) + 1
        if used[name] > 1:  # one layer, called again
            each["config"] = {**each["config"], "name": f"{name}, call {used[name]}"}
    config = {"name": str(getattr(model, "name", "model")), "layers": list(chain)}
    built = {"build_input_shape": [None, *shape]} if shape is not None else {}
    return {"class_name": "Sequential", "config": {**config, **built}}


def _chain_of(model: Any, serialize: Callable[[Any], Any], depth: int) -> Chain:
    function = getattr(type(model), "call", None)
    function = getattr(function, "python_function", function)  # of a tf.function
    if function is None:
        raise _UnreadError
    function = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError) as error:
        raise _UnreadError from error
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.FunctionDef) or len(definition.args.args) < 2:
        raise _UnreadError
    own, given = (each.arg for each in definition.args.args[:2])
    returned = _Reader(model, own, {given: ()}, serialize, depth).run(definition.body)
    if returned is None:
        raise _UnreadError
    return returned


class _Reader:
    """The chains that names stand for, statement by statement.

    Args:
        model: Whose call() it is.
        own: What its source calls itself, "self".
        chains: Name -> what the input went through before.
        serialize: As of `as_sequential`.
        depth: Of further classes that are read.
    """

    def __init__(
        self, model: Any, own: str, chains: dict[str, Chain], serialize: Callable[[Any], Any], depth: int
    ) -> None:
        self.model, self.own, self.chains, self.serialize, self.depth = model, own, chains, serialize, depth
        self.layers: dict[str, Any] = {}  # of loops

    def run(self, body: Sequence[ast.stmt]) -> Chain | None:
        """Follow statements; return the chain that they return, None where they do not."""
        for statement in body:
            if isinstance(statement, ast.Return) and statement.value is not None:
                return self.chain(statement.value)
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                self._assign(statement.targets[0], statement.value)
            elif isinstance(statement, ast.For):
                self._loop(statement)
            elif isinstance(statement, ast.If):
                self._branch(statement)
            elif not isinstance(statement, ast.Expr | ast.Pass | ast.Assert):
                raise _UnreadError
        return None

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        first, *others = target.elts if isinstance(target, ast.Tuple) else [target]
        if not isinstance(first, ast.Name):
            raise _UnreadError
        try:
            self.chains[first.id] = self.chain(value)
        except _UnreadError:  # a number, a shape; whoever uses it as an input is not followed
            self.chains.pop(first.id, None)
        for each in others:
            self.chains.pop(ast.unparse(each), None)

    def _loop(self, statement: ast.For) -> None:
        layers = self._object(statement.iter)
        if not isinstance(layers, list | tuple) or not isinstance(statement.target, ast.Name) or statement.orelse:
            raise _UnreadError
        for each in layers:
            self.layers[statement.target.id] = each
            if self.run(statement.body) is not None:
                raise _UnreadError

    def _branch(self, statement: ast.If) -> None:
        """Follow both branches, which may differ by what is active in training alone."""
        before = dict(self.chains)
        if self.run(statement.body) is not None:
            raise _UnreadError
        one, self.chains = self.chains, before
        if self.run(statement.orelse) is not None:
            raise _UnreadError
        for name in {*one, *self.chains}:
            if _in_use(one.get(name, ())) != _in_use(self.chains.get(name, ())):
                raise _UnreadError

    def chain(self, node: ast.expr) -> Chain:
        """Return what the input went through to become an expression."""
        if isinstance(node, ast.Name) and node.id in self.chains:
            return self.chains[node.id]
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            return (*self.chain(node.elts[0]), _unknown(node))
        if isinstance(node, ast.BinOp):
            return (*self._first((node.left, node.right)), _unknown(node))
        if not isinstance(node, ast.Call) or not (node.args or node.keywords):
            raise _UnreadError
        before = self._first([*node.args, *(each.value for each in node.keywords)])
        if len(before) > MOST_STEPS:
            raise _UnreadError
        layer = self._object(node.func)
        return (*before, *(self._of_function(node) if layer is None else self._of_layer(layer, node)))

    def _first(self, nodes: Sequence[ast.expr]) -> Chain:
        for each in nodes:
            try:
                return self.chain(each)
            except _UnreadError:
                continue
        raise _UnreadError

    def _object(self, node: ast.expr) -> Any:
        """Return the layer, or the list of layers, that an expression is; None for any other."""
        if isinstance(node, ast.Name):
            return self.layers.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self.own:
            return getattr(self.model, node.attr, None)
        if isinstance(node, ast.Subscript):
            held, place = self._object(node.value), node.slice
            try:
                return held[ast.literal_eval(place)] if held is not None else None
            except (ValueError, TypeError, LookupError):
                return None
        return None

    def _of_layer(self, layer: Any, node: ast.Call) -> Chain:
        if not hasattr(layer, "get_config"):
            return self._of_function(node, str(getattr(layer, "__name__", "")).removesuffix("_v2"))
        if not type(layer).__module__.startswith(OF_KERAS) and self.depth:
            try:
                return _chain_of(layer, self.serialize, self.depth - 1)
            except _UnreadError:
                return (_unknown(node),)
        try:
            config = self.serialize(layer)
            return ({"class_name": config["class_name"], "config": dict(config["config"])},)
        except Exception:  # a layer of one's own may raise anything
            return (_unknown(node),)

    def _of_function(self, node: ast.Call, name: str = "") -> Chain:
        name = name or (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
        if name in ACTIVATIONS:
            return ({"class_name": "Activation", "config": {"name": name, "activation": name}},)
        return () if name in SAME_NUMBERS else (_unknown(node),)


def _in_use(chain: Chain) -> list[tuple[str, str]]:
    """Return the classes and names of a chain's layers, without those that only training has."""
    layers = [(each["class_name"], each["config"]["name"]) for each in chain]
    return [each for each in layers if not each[0].startswith(ONLY_IN_TRAINING)]


def _unknown(node: ast.expr) -> Layer:
    return {"class_name": "code of call()", "config": {"name": ast.unparse(node)[:60]}}

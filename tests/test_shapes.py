"""Shape arithmetic against numpy and against the definition of padded convolutions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphspec.language.networks import (
    AffineRead,
    AffineWrite,
    Cnn,
    Deconv,
    Dot,
    Elementwise,
    Gru,
    Identity,
    Linear,
    Mlp,
    Product,
    PythonNetwork,
    Resnet,
    SumOf,
)
from graphspec.language.shapes import (
    ShapeProblem,
    broadcast,
    conv_padding,
    conv_plan,
    conv_sides,
    deconv_plan,
    dot_shape,
    fits,
)

IMAGE = {"x": (3, 28, 20)}
sides = st.integers(1, 65)
small = st.integers(1, 6)
shapes = st.lists(st.integers(1, 3), max_size=4).map(tuple)


@given(sides, small, small)
def test_padding_gives_the_promised_side(side, kernel, stride):
    before, after = conv_padding(side, kernel, stride)
    assert 0 <= before <= after <= before + 1
    if kernel >= stride:
        assert (side + before + after - kernel) // stride + 1 == conv_sides(side, kernel, stride)
    assert conv_sides(side, kernel, stride) == -(-side // stride)


@given(sides, sides, st.lists(small, min_size=1, max_size=4), st.integers(1, 3))
def test_a_deconv_covers_its_output_with_the_smallest_seed(height, width, channels, stride):
    plan = deconv_plan((2, height, width), tuple(channels), stride)
    grown = stride ** len(channels)
    for axis, side in ((1, height), (2, width)):
        assert plan.seed[axis] * grown == plan.layers[-1][axis] >= side
        assert (plan.seed[axis] - 1) * grown < side
    assert plan.seed[0] == channels[0]
    assert [layer[0] for layer in plan.layers] == [*channels[1:], 2]
    assert plan.output == (2, height, width)


def test_yale_images_grow_and_are_cropped():
    plan = deconv_plan((1, 48, 42), (128, 64, 32), 2)
    assert plan.seed == (128, 6, 6)
    assert plan.layers == ((64, 12, 12), (32, 24, 24), (1, 48, 48))


def test_maps_of_a_cnn():
    assert conv_plan((1, 28, 28), (32, 64, 64), 3, 2) == ((32, 14, 14), (64, 7, 7), (64, 4, 4))


@given(shapes, shapes)
def test_broadcast_is_numpys(a, b):
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeProblem):
            broadcast({"a": a, "b": b})
    else:
        assert broadcast({"a": a, "b": b}) == expected
        assert fits(a, expected) and fits(b, expected)


@given(shapes, shapes)
def test_fits_means_that_the_target_does_not_change(a, b):
    try:
        same = np.broadcast_shapes(a, b) == b
    except ValueError:
        same = False
    assert fits(a, b) == same


def test_dot_keeps_the_first_axis():
    assert dot_shape((3,), (3, 48, 42)) == (1, 48, 42)
    assert dot_shape((3, 4, 1), (3, 4, 5)) == (1, 4, 5)
    for bad in [((3,), (4,)), ((), (3,)), ((3, 2), (3, 4))]:
        with pytest.raises(ShapeProblem):
            dot_shape(*bad)


@pytest.mark.parametrize(
    ("network", "parents", "shape"),
    [
        (Mlp(kind="mlp", hidden=(50, 20)), {"a": (3,), "y": ()}, (20,)),
        (Cnn(kind="cnn", channels=(8, 16)), IMAGE | {"y": ()}, (16, 7, 5)),
        (Cnn(kind="cnn", channels=(8, 16), stride=1, kernel=5), IMAGE, (16, 28, 20)),
        (Cnn(kind="cnn", channels=(8, 16), hidden=(64,)), IMAGE, (64,)),
        (Resnet(kind="resnet", channels=(8, 16, 32)), IMAGE, (32, 4, 3)),
        (Resnet(kind="resnet", channels=(8,), hidden=(9,)), IMAGE, (9,)),
        (Gru(kind="gru", hidden=7), {"a": (3,)}, (7,)),
        (Elementwise(kind="elementwise"), {"a": (2, 3), "b": (2, 3)}, (2, 3)),
        (Product(kind="product"), {"a": (5, 1), "b": (4,), "c": ()}, (5, 4)),
        (SumOf(kind="sum"), {"a": (5,)}, (5,)),
        (Dot(kind="dot"), {"l": (3,), "n": (3, 4, 5)}, (1, 4, 5)),
        (Identity(kind="identity"), {"a": (2, 2)}, (2, 2)),
    ],
)
def test_features(network, parents, shape):
    assert network.feature_shape(parents) == shape


@pytest.mark.parametrize(
    ("network", "parents", "code"),
    [
        (Linear(kind="linear"), {"a": (3,)}, "GS065"),
        (Deconv(kind="deconv", channels=(8,)), {"a": (3,)}, "GS065"),
        (Resnet(kind="resnet", channels=(8,), direction="up"), {"a": (3,)}, "GS065"),
        (PythonNetwork(kind="python", target="a.b:C"), {"a": (3,)}, "GS065"),
        (AffineRead(kind="affine_read", image="x", pose="a"), IMAGE | {"a": (3,)}, "GS065"),
        (Cnn(kind="cnn", channels=(8,)), {"a": (3,)}, "GS062"),
        (Cnn(kind="cnn", channels=(8,), hidden=(4,)), {"a": (3,)}, "GS062"),
        (Resnet(kind="resnet", channels=(8,)), {"a": (1, 4, 4), "b": (1, 8, 8)}, "GS062"),
        (Elementwise(kind="elementwise"), {"a": (2,), "b": (3,)}, "GS061"),
        (Identity(kind="identity"), {"a": (2,), "b": (2,)}, "GS061"),
        (Dot(kind="dot"), {"a": (2,)}, "GS061"),
    ],
)
def test_features_that_cannot_be(network, parents, code):
    with pytest.raises(ShapeProblem) as problem:
        network.feature_shape(parents)
    assert problem.value.code == code and problem.value.message


def test_affine_networks_take_the_declared_shape():
    read = AffineRead(kind="affine_read", image="x", pose="a")
    write = AffineWrite(kind="affine_write", image="x", pose="a")
    parents = {"x": (1, 50, 50), "a": (3,)}
    assert read.direct_shape(parents, (1, 28, 28)) == (1, 28, 28)
    assert write.direct_shape(parents, (1, 64, 64)) == (1, 64, 64)
    for wrong in [{"x": (1, 50, 50), "a": (4,)}, {"x": (50, 50), "a": (3,)}, parents | {"b": (3,)}]:
        with pytest.raises(ShapeProblem):
            read.direct_shape(wrong, (1, 28, 28))
    with pytest.raises(ShapeProblem, match="channels"):
        write.direct_shape(parents, (3, 64, 64))

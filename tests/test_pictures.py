"""Picture files: all that Pillow reads is read, upright, on one scale, in the colours asked for, and small at once."""

import io
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_makers import checked, coloured, pixels_of, prepared_pictures, ramp, save
from PIL import Image

from graphspec.headers.pictures import ENDINGS, REFUSED_FORMATS, read_header
from runtime.data.read.image_files import recolour, resize
from runtime.errors import DataError


def message(folder: Path, *arguments: Any, **data: Any) -> str:
    with pytest.raises(DataError) as caught:
        prepared_pictures(folder, *arguments, **data)
    return str(caught.value)


# --- kinds of files ---


def test_every_ending_of_pillow_is_read_or_refused_by_name() -> None:
    Image.init()
    known = {ending for ending, kind in Image.EXTENSION.items() if kind in Image.OPEN and kind not in REFUSED_FORMATS}
    assert known | {".mpo"} == set(ENDINGS)


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "gif", "pgm", "tga", "PNG", "Tiff", "jp2", "pcx", "sgi"])
def test_lossless_kinds_give_the_same_levels(tmp_path: Path, ending: str) -> None:
    save(tmp_path / "set" / f"a.{ending}", ramp())
    np.testing.assert_array_equal(pixels_of(tmp_path)[0, 0] * 255, ramp())


@pytest.mark.parametrize("ending,bound", [("jpg", 6), ("webp", 6), ("avif", 12), ("jfif", 6)])
def test_lossy_kinds_come_close(tmp_path: Path, ending: str, bound: int) -> None:
    save(tmp_path / "set" / f"a.{ending}", np.stack([ramp(8, 8)] * 3, axis=-1), quality=95)
    levels = pixels_of(tmp_path, (1, 8, 8), column={"colour": "grey"})[0, 0] * 255
    np.testing.assert_allclose(levels, ramp(8, 8), atol=bound)


@pytest.mark.parametrize("mode,pixels", [("1", 255 * (ramp() > 99)), ("P", ramp()), ("L", ramp())])
def test_palettes_and_bits_of_grey_are_grey(tmp_path: Path, mode: str, pixels: np.ndarray) -> None:
    save(tmp_path / "set" / "a.png", pixels.astype(np.uint8), mode)
    assert read_header(tmp_path / "set" / "a.png", "a").channels == 1
    np.testing.assert_array_equal(pixels_of(tmp_path)[0, 0] * 255, pixels)


def test_palettes_of_colours_are_coloured(tmp_path: Path) -> None:
    Image.fromarray(coloured()).quantize(64).save(save(tmp_path / "set" / "a.png", ramp()))
    np.testing.assert_allclose(pixels_of(tmp_path, (3, 4, 6))[0].permute(1, 2, 0) * 255, coloured(), atol=30)


def test_what_shines_through_is_white_and_told(tmp_path: Path) -> None:
    opaque = np.dstack([coloured(), np.full((4, 6), 255, np.uint8)])
    save(tmp_path / "set" / "a.png", opaque)
    assert prepared_pictures(tmp_path, (3, 4, 6)).notes == ()
    np.testing.assert_array_equal(pixels_of(tmp_path, (3, 4, 6))[0].permute(1, 2, 0) * 255, coloured())
    opaque[:2, ..., 3] = 0
    save(tmp_path / "set" / "b.png", opaque)
    rows = pixels_of(tmp_path, (3, 4, 6))[1] * 255
    assert (rows[:, :2] == 255).all() and (rows[2, 2:] == 100).all()
    (note,) = prepared_pictures(tmp_path, (3, 4, 6)).notes
    assert "1 pictures of folder set are transparent in places" in note


def test_the_first_frame_is_read_and_told(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 6), level, np.uint8)) for level in (10, 200)]
    (tmp_path / "set").mkdir()
    for ending in ("gif", "tif"):
        frames[0].save(tmp_path / "set" / f"a.{ending}", save_all=True, append_images=frames[1:])
    assert (pixels_of(tmp_path) * 255 == 10).all()
    assert "2 pictures of folder set hold several frames: the first is read" in prepared_pictures(tmp_path).notes


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_pictures_stand_upright(tmp_path: Path, turn: int, ending: str) -> None:
    """A camera that was turned writes the picture as its sensor has it, and how it was held (EXIF's orientation)."""
    quarters = np.zeros((16, 32), np.uint8)
    quarters[:8, :16] = 250  # white at the top left, as the sensor has it
    exif = Image.Exif()
    exif[0x0112] = turn
    save(tmp_path / "set" / f"a.{ending}", np.stack([quarters] * 3, axis=-1), exif=exif)
    header = read_header(tmp_path / "set" / f"a.{ending}", "a")
    assert header.shape == ((3, 16, 32) if turn < 5 else (3, 32, 16)), "`check` reads it upright too"
    seen = pixels_of(tmp_path, (1, *header.shape[1:]), column={"colour": "grey"})[0, 0]
    corners = [float(seen[y, x]) for y in (2, -3) for x in (2, -3)]
    white = {1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2}[turn]
    assert np.argmax(corners) == white and sorted(corners)[2] < 0.3 < 0.9 < max(corners)


# --- scale ---


def test_a_darker_picture_stays_darker(tmp_path: Path) -> None:
    """Whether a file is 8 or 16 bits deep is in its header, not in its brightest pixel."""
    for index, top in enumerate((15, 225, 300, 600)):
        save(tmp_path / "set" / f"{index}.png", ramp(top=top, kind=np.uint16))
    tops = pixels_of(tmp_path).amax((1, 2, 3))
    np.testing.assert_allclose(tops, np.array([15, 225, 300, 600]) / 1023, rtol=1e-6)
    (note,) = prepared_pictures(tmp_path).notes
    assert "levels up to 600" in note and "`white: 1023`" in note


@pytest.mark.parametrize(
    "top,white", [(255, 255), (256, 1023), (1000, 1023), (4095, 4095), (4096, 16383), (60000, 65535)]
)
def test_twelve_bits_in_sixteen_keep_all_their_levels(tmp_path: Path, top: int, white: int) -> None:
    pixels = np.arange(4096).reshape(64, 64) * top // 4095
    save(tmp_path / "set" / "a.png", pixels.astype(np.uint16))
    found = pixels_of(tmp_path, (1, 64, 64))[0, 0]
    np.testing.assert_allclose(found, pixels / white, rtol=1e-6)
    assert len(found.unique()) == len(np.unique(pixels)), "more than 8 bits are kept"


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_white_is_said(tmp_path: Path, ending: str) -> None:
    save(tmp_path / "set" / f"a.{ending}", ramp(top=1000, kind=np.uint16))
    for white in (4000, 65535):
        expected = ramp(top=1000, kind=np.uint16) / white
        np.testing.assert_allclose(pixels_of(tmp_path, white=white)[0, 0], expected, rtol=1e-6)
    assert prepared_pictures(tmp_path, white=4000).notes == ()
    said = message(tmp_path, white=999)
    assert "1 of 1 pictures of folder set hold levels below 0 or above white" in said and f"a.{ending}" in said


def test_eight_bits_beside_sixteen_have_their_own_depth(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.png", ramp())
    save(tmp_path / "set" / "b.png", ramp(top=65535, kind=np.uint16))
    save(tmp_path / "set" / "c.tif", ramp(top=32768, kind=np.uint16))
    assert pixels_of(tmp_path).amax((1, 2, 3)).tolist() == pytest.approx([1, 1, 32768 / 65535])
    assert pixels_of(tmp_path, white=131070).amax((1, 2, 3)).tolist() == pytest.approx([1, 0.5, 0.25], rel=1e-4)


def test_white_is_of_all_where_no_file_is_deeper(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.png", (ramp() > 99).astype(np.uint8))
    assert "no byte is larger than 1" in message(tmp_path) and "white: 1" in message(tmp_path)
    np.testing.assert_array_equal(pixels_of(tmp_path, white=1)[0, 0], ramp() > 99)


def test_big_endian_and_other_depths_of_tif(tmp_path: Path) -> None:
    deep = ramp(top=50000, kind=np.uint16)
    big = Image.frombytes("I;16B", (6, 4), deep.astype(">u2").tobytes())
    (tmp_path / "set").mkdir()
    big.save(tmp_path / "set" / "a.tif")
    assert (tmp_path / "set" / "a.tif").read_bytes()[:2] == b"MM"
    np.testing.assert_allclose(pixels_of(tmp_path)[0, 0], deep / 65535, rtol=1e-6)


def tif(levels: np.ndarray, bits: int, photometric: int, data: bytes) -> bytes:
    """A little-endian TIFF of one strip, of kinds that Pillow reads and does not write."""
    height, width = levels.shape
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8 + 2 + 9 * 12 + 4),
            (277, 3, 1), (278, 4, height), (279, 4, len(data))]  # fmt: skip
    entries = b"".join(np.array([t, k], "<u2").tobytes() + np.array([1, v], "<u4").tobytes() for t, k, v in tags)
    return (
        b"II*\0" + np.array([8], "<u4").tobytes() + np.array([len(tags)], "<u2").tobytes() + entries + b"\0" * 4 + data
    )


def test_white_is_zero_and_twelve_packed_bits(tmp_path: Path) -> None:
    deep = ramp(top=60000, kind=np.uint16)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.tif").write_bytes(tif(deep, 16, 0, deep.astype("<u2").tobytes()))
    np.testing.assert_allclose(pixels_of(tmp_path)[0, 0], (65535 - deep) / 65535.0, rtol=1e-6)
    twelve = ramp(top=1000, kind=np.uint16)
    pairs = twelve.reshape(-1, 2).astype(int)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
    (tmp_path / "set" / "a.tif").write_bytes(tif(twelve, 12, 1, packed.astype(np.uint8).tobytes()))
    np.testing.assert_allclose(pixels_of(tmp_path)[0, 0], twelve / 4095, rtol=1e-6)
    assert prepared_pictures(tmp_path).notes == (), "the header says 12 bits"


def test_floating_point_levels_need_a_white(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.tif", (ramp() / 255).astype(np.float32))
    np.testing.assert_allclose(pixels_of(tmp_path)[0, 0], ramp() / 255, rtol=1e-6)
    save(tmp_path / "set" / "b.tif", ramp().astype(np.float32))
    assert "from 0 to 255: which is white?" in message(tmp_path)
    assert pixels_of(tmp_path, white=255)[1].max() == 1
    save(tmp_path / "set" / "c.tif", ramp().astype(np.int32) - 20)
    assert "below 0" in message(tmp_path, white=255) and "c.tif" in message(tmp_path, white=255)
    assert prepared_pictures(tmp_path, domain="real", white=1).training.values["x"].amin() == -20


def test_sixteen_bits_that_are_almost_black_are_questioned(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.png", (ramp() > 99).astype(np.uint16))
    assert "levels from 0 to 1" in message(tmp_path) and "white: 1" in message(tmp_path)


def test_colours_of_sixteen_bits_are_told(tmp_path: Path) -> None:
    raw = np.dstack([ramp(top=65535, kind=np.uint16)] * 3).astype(">u2")
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + line.tobytes() for line in raw)
    head = struct.pack(">IIBBBBB", 6, 4, 16, 2, 0, 0, 0)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )
    np.testing.assert_allclose(pixels_of(tmp_path, (3, 4, 6))[0, 0], ramp() / 255, atol=1 / 255)
    assert (
        "1 picture of folder set hold 16 bits a colour, of which 8 are read"
        in prepared_pictures(tmp_path, (3, 4, 6)).notes
    )


# --- colours ---


def test_colour_converts_files_and_arrays_alike(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.png", coloured())
    grey = np.asarray(Image.fromarray(coloured()).convert("L"))
    np.testing.assert_array_equal(pixels_of(tmp_path, column={"colour": "grey"})[0, 0] * 255, grey)
    for array in (coloured()[None], coloured().transpose(2, 0, 1)[None]):
        np.testing.assert_array_equal(recolour("x", array, "grey")[0, 0], grey)
        np.testing.assert_allclose(recolour("x", array / 255, "grey")[0, 0] * 255, grey, atol=0.6)
    np.testing.assert_array_equal(recolour("x", grey[None], "rgb")[0], np.stack([grey] * 3))
    save(tmp_path / "set" / "a.png", grey)
    np.testing.assert_array_equal(pixels_of(tmp_path, (3, 4, 6), column={"colour": "rgb"})[0, 2] * 255, grey)
    np.savez(tmp_path / "set.npz", image=coloured()[None])
    np.testing.assert_array_equal(pixels_of(tmp_path, source="set.npz", column={"colour": "grey"})[0, 0] * 255, grey)


def test_grey_beside_colour_follows_the_variable_and_is_told(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a.png", coloured())
    save(tmp_path / "set" / "b.png", ramp())
    for channels, colour in ((1, "grey"), (3, "rgb")):
        data = prepared_pictures(tmp_path, (channels, 4, 6))
        assert data.notes == (
            f"1 grey and 1 coloured pictures of folder set are all read as {colour}, as the variable's shape says",
        )
        np.testing.assert_array_equal(data.training.values["x"][1, -1], ramp())
        assert prepared_pictures(tmp_path, (channels, 4, 6), column={"colour": colour}).notes == ()


def test_check_knows_the_channels_that_training_will_have(tmp_path: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / label / "1.png", coloured())
    rest = "test: 0, validation: 0}"
    (found,) = checked(tmp_path, f"{{source: set, variables: {{x: image, y: label}}, {rest}")
    assert found.code == "GS082" and "read {column: image, colour: grey}" in found.hint
    assert not checked(tmp_path, f"{{source: set, variables: {{x: {{column: image, colour: grey}}, y: label}}, {rest}")
    (found,) = checked(tmp_path, f"{{source: set, variables: {{x: image, y: label}}, {rest}", x="[3, 2, 3]")
    assert "resize: [2, 3]" in found.hint
    save(tmp_path / "set" / "a" / "2.png", ramp())
    for shape in ("[1, 4, 6]", "[3, 4, 6]"):
        assert not checked(tmp_path, f"{{source: set, variables: {{x: image, y: label}}, {rest}", x=shape)
    (found,) = checked(tmp_path, f"{{source: set, variables: {{x: image, y: label}}, {rest}", x="[4, 4, 6]")
    assert "mixes grey and coloured images" in found.message and "colour: grey" in found.hint


# --- sizes and memory ---


def test_a_picture_made_small_as_it_is_read_is_the_same(tmp_path: Path) -> None:
    big = np.random.default_rng(0).integers(0, 256, (3, 90, 70, 3)).astype(np.uint8)
    for index, pixels in enumerate(big):
        save(tmp_path / "set" / f"{index}.png", pixels)
    rows = prepared_pictures(tmp_path, (3, 9, 8), column={"resize": [9, 8]}).training.values["x"]
    np.testing.assert_array_equal(rows, resize("x", big, [9, 8]))


def test_two_variables_may_read_one_column_in_two_sizes(tmp_path: Path) -> None:
    from data_specs import graphs_for

    from runtime.data import prepare

    save(tmp_path / "set" / "a.png", ramp(8, 8))
    save(tmp_path / "set" / "b.png", ramp(6, 8))
    variables = {n: {"role": "observed", "domain": "unit", "shape": [1, s, s]} for n, s in (("x", 4), ("w", 2))}
    columns = {n: {"column": "image", "resize": [s, s]} for n, s in (("x", 4), ("w", 2))}
    data = {"source": "set", "variables": columns, "test": 0, "validation": 0}
    rows = prepare(graphs_for(variables, data), spec_path=tmp_path / "spec.yaml").training.values
    assert rows["x"].shape == (2, 1, 4, 4) and rows["w"].shape == (2, 1, 2, 2)


def test_large_photographs_take_the_memory_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photo = Image.fromarray(coloured(40, 60)).resize((900, 600))
    (tmp_path / "set").mkdir()
    for index in range(20):  # 32 MB decoded, 1.6 each
        photo.save(tmp_path / "set" / f"{index}.jpg")
    tracemalloc.start()
    try:
        prepared_pictures(tmp_path, (3, 32, 32), column={"resize": [32, 32]})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 9e6, "three times a picture and a channel of it in floats"
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_what_is_slow_to_decode_is_kept_small_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("runtime.data.read.picture_column.SLOW_BYTES", 1)
    save(tmp_path / "set" / "a.png", ramp(40, 60))
    save(tmp_path / "set" / "b.png", ramp(40, 60, top=100))
    (tmp_path / "set" / "c.png").write_bytes(b"no picture")
    first = prepared_pictures(tmp_path, column={"resize": [4, 6]}, on_error="skip")
    (copy,) = (tmp_path / "cache").rglob("*.npy")
    assert copy.stat().st_size < 300
    monkeypatch.setattr("runtime.data.read.picture_column.decode", None)  # is not needed again
    again = prepared_pictures(tmp_path, column={"resize": [4, 6]}, on_error="skip")
    assert again.manifest() == first.manifest() and len(again.training) == 2
    assert torch.equal(again.training.values["x"], first.training.values["x"])
    copy.write_bytes(copy.read_bytes()[:-20])
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert prepared_pictures(tmp_path, column={"resize": [4, 6]}, on_error="skip").manifest() == first.manifest()


# --- damaged files ---


def bomb(width: int = 60000, height: int = 60000) -> bytes:
    """A small file that claims to be huge."""
    stream = io.BytesIO()
    Image.new("1", (8, 8)).save(stream, "PNG")
    import struct
    import zlib

    head = struct.pack(">II", width, height) + stream.getvalue()[24:29]
    return stream.getvalue()[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + stream.getvalue()[33:]


def damage(folder: Path) -> dict[str, str]:
    """Four files at fault beside two that are whole, and what is said of each."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    for name in ("a", "f"):
        save(folder / f"{name}.png", noise)
    whole = (folder / "a.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])
    (folder / "c.jpg").write_text("<html>not found</html>")
    (folder / "d.png").write_bytes(bomb())
    (folder / "e.tif").symlink_to("nowhere.tif")
    return {"b.png": "truncated", "c.jpg": "no picture", "d.png": "60000 x 60000", "e.tif": "No such file"}


def test_damaged_files_are_named_all_at_once(tmp_path: Path) -> None:
    expected = damage(tmp_path / "set")
    said = message(tmp_path, (1, 64, 64))
    assert "4 of 6 pictures of folder set cannot be read" in said and "on_error: skip" in said
    for name, why in expected.items():
        (line,) = [line for line in said.splitlines() if str(tmp_path / "set" / name) in line]
        assert why in line
    (found,) = checked(tmp_path, "{source: set, variables: {x: image}}", y="{role: latent, size: 1}")
    assert found.code == "GS088" and all(str(tmp_path / "set" / name) in found.message for name in expected)


def test_damaged_files_are_skipped_where_that_is_wanted(tmp_path: Path) -> None:
    damage(tmp_path / "set")
    data = prepared_pictures(tmp_path, (1, 64, 64), on_error="skip")
    assert len(data.training) == 2 and any("they are skipped" in note and "d.png" in note for note in data.notes)
    for name in "af":
        (tmp_path / "set" / f"{name}.png").unlink()
    assert "4 of 4 pictures" in message(tmp_path, (1, 64, 64), on_error="skip")


def test_labels_stay_with_their_pictures_when_others_are_skipped(tmp_path: Path) -> None:
    from data_specs import prepared

    for split, count in (("train", 4), ("test", 3)):
        for label, level in (("ant", 50), ("bee", 200)):
            for index in range(count):
                save(tmp_path / "set" / split / label / f"{label}{index}.png", np.full((4, 6), level + index, np.uint8))
    for broken in ("train/ant/ant0.png", "train/bee/bee3.png", "test/ant/ant2.png"):
        (tmp_path / "set" / broken).write_bytes(b"")
    kind = {"role": "supervised", "domain": "category", "classes": 2}
    section = {"source": "set", "variables": {"x": "image", "y": "label"}, "validation": 0, "on_error": "skip"}
    data = prepared(tmp_path, {"x": {"role": "observed", "domain": "unit", "shape": [1, 4, 6]}, "y": kind}, section)
    assert len(data.training) == 6 and data.test.source.tolist() == [6, 7, 8, 9, 10]
    for rows in (data.training, data.test):
        assert torch.equal(rows.values["x"][:, 0, 0, 0] > 120, rows.values["y"] == 1)


def test_no_bytes_of_a_picture_make_a_traceback(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    kinds = {"png": ramp(16, 16), "tif": ramp(16, 16, 4000, np.uint16), "gif": ramp(16, 16), "bmp": coloured(16, 16),
             "webp": coloured(16, 16), "jpg": coloured(16, 16), "pgm": ramp(16, 16), "jp2": coloured(16, 16)}  # fmt: skip
    for kind, pixels in kinds.items():
        whole = bytearray(save(tmp_path / "whole" / f"a.{kind}", pixels).read_bytes())
        for index in range(40):
            hurt = bytearray(whole)
            for place in generator.integers(0, len(hurt), 6):
                hurt[place] = generator.integers(256)
            file = tmp_path / kind / f"{index}.{kind}"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(hurt[: generator.integers(1, len(hurt) + 1)] if index % 2 else hurt)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                prepared_pictures(
                    tmp_path, (1, 8, 8), source=kind, column={"resize": [8, 8], "colour": "grey"}, white=5000
                )
            except DataError as error:
                assert str(tmp_path / kind) in str(error)


# --- options ---


def test_options_of_pictures_are_for_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((9, 4, 6)), y=np.arange(9) % 2)
    rest = "variables: {x: x, y: y}, test: 1, validation: 1"
    for option in ("white: 4095", "on_error: skip"):
        (found,) = checked(tmp_path, f"{{source: rows.npz, {rest}, {option}}}")
        assert found.code == "GS084" and "rows.npz holds none" in found.message
    (found,) = checked(
        tmp_path, "{source: rows.npz, variables: {x: x, y: {column: y, colour: grey}}, test: 1, validation: 1}"
    )
    assert found.code == "GS084" and "`colour` needs an image" in found.message

"""A notebook is stored if two kinds of processor give the same outputs, and not otherwise."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book import refresh

DIFFERS = """\
# a sum that another kernel takes in another order
import os
slow = os.environ.get("ATEN_CPU_CAPABILITY") == "default"
print("loss", 0.693 + 0.001 * slow)"""
SAME = "print('the same')"


def write(path, *sources):
    nb = new_notebook(cells=[new_code_cell(source) for source in sources])
    nb.metadata.kernelspec = refresh.KERNELSPEC
    nbformat.write(nb, path)
    return path


def test_a_notebook_that_differs_is_not_stored(tmp_path, capsys):
    path = write(tmp_path / "planted.ipynb", SAME, DIFFERS)
    before = path.read_text()
    assert not refresh.refresh(path)
    said = capsys.readouterr().out
    assert path.read_text() == before
    assert "planted.ipynb: not stored" in said
    assert "cell 2 (it begins '# a sum that another kernel" in said
    assert "-loss 0.693" in said
    assert "+loss 0.694" in said
    assert "cell 1" not in said


def test_a_notebook_that_agrees_is_stored(tmp_path, capsys):
    path = write(tmp_path / "planted.ipynb", SAME)
    assert refresh.refresh(path)
    (cell,) = nbformat.read(path, as_version=4).cells
    assert cell.outputs[0].text == "the same\n"
    assert "stored" in capsys.readouterr().out


def test_the_exit_code_says_that_one_was_not_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "CHAPTERS", tmp_path)
    monkeypatch.setattr(refresh, "refresh", lambda path: path.stem != "b")
    for name in ("a", "b", "ledger"):
        write(tmp_path / f"{name}.ipynb", SAME)
    refresh.main(["a", "ledger"])
    with pytest.raises(SystemExit, match="1 of 3 were not stored"):
        refresh.main([])
    with pytest.raises(SystemExit, match="no chapter named c"):
        refresh.main(["c"])


def shown(**data):
    bundle = {kind.replace("_", "/"): text for kind, text in data.items()}
    output = new_output("display_data", bundle)
    return new_notebook(cells=[new_code_cell("show()", outputs=[output])])


def picture(svg, summary):
    return shown(**{"image_svg+xml": svg, "text_plain": summary})


def test_a_picture_is_compared_by_the_summary_of_its_data():
    one = picture("<svg>1.0000001</svg>", "line: 9 points")
    assert not refresh.differences(
        one, picture("<svg>1.0000002</svg>", "line: 9 points")
    )
    (difference,) = refresh.differences(
        one, picture("<svg>1.0000001</svg>", "line: 8 points")
    )
    assert "-line: 9 points" in difference


@pytest.mark.parametrize(
    "other",
    [
        shown(text_plain="2"),
        shown(text_html="1"),
        new_notebook(cells=[new_code_cell("show()")]),
    ],
    ids=["text", "kind", "none"],
)
def test_another_output_is_a_difference(other):
    assert refresh.differences(shown(text_plain="1"), other)


COMPUTE = """
import numpy as np
x = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
import torch
print(torch.backends.cpu.get_cpu_capability(), (x @ x).sum().item())
"""


def test_the_settings_are_those_of_another_processor():
    """The libraries take them, without a warning."""
    settings = refresh.other_processor()
    assert settings["OPENBLAS_CORETYPE"]
    said = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", COMPUTE],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, settings)
    ]
    assert said[1].startswith("DEFAULT")

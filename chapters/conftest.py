"""Settings for nbval: what of an output is compared with its stored form."""


def pytest_collection_modifyitems(items):
    """Leave the bytes of figures out: the summary of their data, stored beside them, is compared.

    A different machine may write another last digit into an SVG, and draw the same picture.
    """
    for notebook in {
        item.parent
        for item in items
        if hasattr(item.parent, "skip_compare")
    }:
        notebook.skip_compare = (*notebook.skip_compare, "image/svg+xml")


def pytest_terminal_summary(terminalreporter):
    """Say what a failed cell of a notebook means, and what to do about it."""
    failed = [
        r
        for r in terminalreporter.stats.get("failed", [])
        if ".ipynb::Cell " in r.nodeid
    ]
    if not failed:
        return
    write = terminalreporter.write_line
    terminalreporter.section("What these cells mean", yellow=True)
    for report in failed:
        path, _, cell = report.nodeid.partition("::Cell ")
        words = "runs, but its output is not the one that is stored"
        if "outputs differ" not in report.longreprtext:
            words = "fails when it runs: its last line above says why"
        write(f"{path}, cell [{int(cell) + 1}]: it {words}")
    write("")
    write(
        "In a comparison above, + is what is stored and - is what the cell gives now."
    )
    write(
        "A cell that fails: mend the formula, or the part of losslib that it runs."
    )
    write(
        "An output that differs, though you changed nothing that should change it:"
    )
    write("you found a fault. Find it; do not store the new output.")
    write("If you did mean the change, store it by")
    for name in sorted(
        {
            r.nodeid.partition(".ipynb::")[0].rpartition("/")[2]
            for r in failed
        }
    ):
        write(f"    make refresh NB={name}")
    write("then read the diff of the notebook, and commit both.")

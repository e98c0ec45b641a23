# Two commands matter: `make book` and `make test`. Each sets up .venv the first time, and only then.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SITE := _build/html
NB ?=
LOSS ?=

TITLE ?=

.PHONY: chapter book test check refresh findings lab serve bench mutate clean
.DELETE_ON_ERROR:

$(READY): requirements.txt pyproject.toml equalsign/pyproject.toml book/pyproject.toml
	@echo "==> Setting up $(VENV): everything pinned in requirements.txt (once; some minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --progress-bar on -r requirements.txt
	$(BIN)/python -m pip install --no-deps --no-build-isolation --config-settings editable_mode=compat --editable . --editable ./equalsign --editable ./book
	@touch $@

book: $(READY)
	@echo "==> Building the site from the stored, verified outputs (pages that nothing has changed for are kept)"
	$(BIN)/jupyter-book build . -W --keep-going -n
	@echo "==> The book is in $(SITE): open $(SITE)/index.html"

test: $(READY)
	@echo "==> 1/6 Style and types"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@echo "==> 2/6 The gates: the book cannot lie silently"
	$(BIN)/python -m pytest tests/book/test_gates.py
	@echo "==> 3/6 The checks, and what the book is made with"
	$(BIN)/python -m pytest -n 2 equalsign/src book/src tests/equalsign tests/book --ignore tests/book/test_gates.py --ignore tests/book/test_site.py
	@echo "==> 4/6 losslib: its tests and the examples in its docstrings"
	$(BIN)/python -m pytest -n 2 losslib tests/losslib
	@echo "==> 5/6 Every cell of every notebook, run again and compared with its stored output"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --nbval chapters
	@echo "==> 6/6 The site: built with warnings as errors, then opened in a real browser"
	$(MAKE) --no-print-directory book
	$(BIN)/python -m pytest -n 2 tests/book/test_site.py
	@echo "==> All of it passed: every equals sign ran"

check: $(READY)
	@$(BIN)/python -m book.check $(NB) $(LOSS)

chapter: $(READY)
	@$(BIN)/python -m book.new "$(NB)" "$(TITLE)"

findings: $(READY)
	$(BIN)/python -m book.findings $(NB)

refresh: $(READY)
	@echo "==> Executing each notebook twice, the second time as another processor would"
	$(BIN)/python -m book.refresh $(NB)

lab: $(READY)
	$(BIN)/jupyter lab chapters

serve: book
	@echo "==> http://127.0.0.1:8000"
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) 8000

bench: $(READY) book
	$(BIN)/python benchmarks/record.py
	$(BIN)/python benchmarks/bench_book.py

mutate: $(READY)
	@echo "==> One change at a time in losslib, then in equalsign: do the tests notice? (hours; the scores go to benchmarks/)"
	$(BIN)/python -m book.mutation $(NB)
	@test -n "$(NB)" || $(BIN)/python -m book.mutation --product equalsign

clean:
	rm -rf _build mutants .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@echo "==> Cleaned; $(VENV) is kept (remove it to set up afresh)"

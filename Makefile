# Few verbs. The first use of any of them makes the environment by itself (.venv, a few minutes, once).

PYTHON ?= python3
VENV := .venv/bin/python

.PHONY: help book test serve notebooks assignments grade clean environment

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /make \1  /p' $(MAKEFILE_LIST) | sed 's/  /\t/'

book: environment ## build the book into _build/html
	@$(VENV) -m tools.book

test: environment ## check everything: style, units, notebooks, book, pages in a browser
	@$(VENV) -m tools.test

serve: book ## show the book on a local port
	@$(VENV) -m tools.serve

notebooks: environment ## write the student editions, notebooks/*.ipynb
	@$(VENV) -m tools.notebooks

assignments: environment ## an nbgrader course: make assignments COURSE=course.toml FOLDER=made
	@$(VENV) -m tools.assignments make $(COURSE) $(FOLDER)

grade: environment ## in a sandbox: make grade ASSIGNMENT=made/grading/week.json SUBMISSIONS=in OUT=graded
	@$(VENV) -m tools.grading $(ASSIGNMENT) $(SUBMISSIONS) $(OUT)

clean: ## delete what was built, but not the environment
	rm -rf _build

environment:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not here; install Python 3.11 or newer from https://www.python.org" >&2; exit 1; }
	@$(PYTHON) tools/environment.py

"""Long runs, one file a question. Each writes ``book/results/<its name>.json`` with what is needed to doubt it."""

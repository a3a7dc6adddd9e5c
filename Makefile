PY ?= .venv/bin/python

.PHONY: ext
# The compiled parts, in place (setuptools reads pyproject.toml; there is no setup.py).
ext:
	$(PY) -c "from setuptools import setup; setup()" -q build_ext --inplace

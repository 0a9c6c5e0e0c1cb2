# Herald. On a fresh Debian 12 machine, as root:
#
#   make lab     install what is needed, then watch the how-to "dual L2 and BGP" come true in network namespaces
#   make test    every check and every test
#
SHELL := /bin/bash
RUN := .venv/bin/

.PHONY: help lab test check unit bench fuzz format python tools kubernetes lock clean

help:
	@sed -n 's/^#\( \{3\}make .*\)/\1/p' Makefile

python:
	@scripts/install-tools python

tools:
	@scripts/install-tools lab

# etcd, kube-apiserver, kube-proxy, kubectl and helm, built once and kept outside the tree.
kubernetes: tools
	@scripts/install-kubernetes

lab: tools
	@$(RUN)herald lab run dual

check: python
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy
	$(RUN)lint-imports

unit: python
	$(RUN)pytest -q -n 2 --dist worksteal -m "not netns and not interop and not scenario and not kube"

# Three at a time: most tests of real daemons wait. In a short path, since names of Unix sockets are short.
test: kubernetes check
	@at=$$(mktemp -d /tmp/hXXXXX) && { $(RUN)pytest -q -n 3 --dist worksteal --basetemp=$$at/t; \
	  status=$$?; rm -rf $$at; exit $$status; }

bench: kubernetes
	$(RUN)python -m benchmarks

fuzz: python
	HYPOTHESIS_PROFILE=hunt $(RUN)pytest -q -m "not netns and not interop and not scenario and not kube" -k fuzz

format: python
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

lock: python
	.uv/bin/uv lock --upgrade

clean:
	rm -rf .venv .uv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

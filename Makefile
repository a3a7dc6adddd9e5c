# make demo   serve the demo app in uWSGI behind gateway on http://127.0.0.1:8080/, until Ctrl-C
# make test   set up what the tests need, run them
# make ext    build the compiled parts in place
# make reliability  what holds when clients, upstreams or the machine misbehave, beside nginx (some 10 minutes; writes
#             tests/reliability/RESULTS.md)
# make wheel  manylinux wheels for x86_64 and aarch64 into dist/, tried without a compiler (some minutes; WHEEL="--arch x86_64")
# make first-page  from a wheel in dist/ to https://localhost for a FastAPI and a Flask application, each command with its
#             seconds; more than 30 is a failure (it needs PyPI; FIRST_PAGE="--release trixie" in a fresh Debian 13, as root)
# make deb    a package for the Debian or Ubuntu that this is, into dist/ (made of a wheel in dist/, or of a new one);
#             DEB="--for 3.13" for the Python of another release
# make deb-trial  those packages in a fresh Debian 12 and 13, booted with systemd: installed, served, reloaded, purged, each
#             step with its seconds (as root; some minutes; TRIAL="--release trixie")
# make certbot-trial  Debian's own `certbot --nginx` with gateway as nginx, against pebble, there
# make docs-trial  what docs/flask.md and docs/from-nginx.md tell an admin to type, typed there
# make docs   the documentation as a site, into build/site
# make bench  CPU per request, gateway and nginx in turn (BENCH="--only static" …)
#
# All of it runs in .venv, which is made on the first call. With PY=/some/python that interpreter is used as it is
# and nothing is installed.

ifeq ($(origin PY),undefined)
PY := .venv/bin/python
own := yes
endif

# Plain .py files are compiled too, and a stale product would hide a change.
sources = pyproject.toml $(shell sed -n 's/.*sources = \["\([^"]*\)"\].*/\1/p' pyproject.toml) \
    $(wildcard gateway/*/*.pxd gateway/*/*/*.pxd)

.PHONY: demo test system ext reliability bench wheel first-page deb deb-trial certbot-trial docs-trial docs clean setup-build setup-demo setup-test setup-wheel setup-docs

setup-build setup-demo setup-test setup-wheel setup-docs: setup-%:
	@$(if $(own),.ci/venv $*)

# Nobody waits minutes for a first page: as long as nothing is compiled, what is plain Python runs as that.
plain := $(if $(own),$(if $(wildcard .venv/.compiled),,yes))
demo: setup-demo
	@$(MAKE) --no-print-directory -s $(if $(plain),.venv/.pyx,ext) $(if $(own),,PY=$(PY))
	@$(if $(plain),echo "plain Python runs as such and is slower until 'make ext' has compiled it (some minutes)")
	@$(if $(plain),GATEWAY_PURE=1) $(PY) -m gateway run conf/demo/app.py -c conf/demo/nginx.conf --while-parent

# A process for each core: much of a test is waiting. More than four get in each other's way.
PROCESSES ?= auto
test: setup-test system
	@$(MAKE) --no-print-directory ext $(if $(own),,PY=$(PY))
	$(PY) -m pytest -rs -n $(PROCESSES) --maxprocesses 4 --dist loadfile $(TESTS)

# What the tests compare with and talk to.
system:
	@.ci/system nginx php-fpm memcached redis-server pebble
	@.ci/system chromium chromium-driver

reliability: setup-test
	@.ci/system nginx libnginx-mod-stream
	@$(MAKE) --no-print-directory ext $(if $(own),,PY=$(PY))
	$(PY) -m tests.reliability --write $(RELIABILITY)

bench: setup-demo
	@$(MAKE) --no-print-directory ext $(if $(own),,PY=$(PY))
	$(PY) bench/load.py $(BENCH)

wheel: setup-wheel
	@$(PY) .ci/make_wheel.py $(WHEEL)

first-page: setup-wheel
	@$(PY) .ci/first_page.py $(FIRST_PAGE)

deb: setup-wheel
	@$(PY) .ci/make_deb.py $(DEB)

deb-trial certbot-trial docs-trial: %-trial: setup-wheel
	@.ci/system debootstrap systemd-container
	@$(PY) .ci/$*_trial.py $(TRIAL)

docs: setup-docs
	@$(MAKE) --no-print-directory -s $(if $(plain),.venv/.pyx,ext) $(if $(own),,PY=$(PY))
	@$(if $(plain),GATEWAY_PURE=1) .ci/docs $(PY)

# The compiled parts, in place (setuptools reads pyproject.toml; there is no setup.py).
ifdef own
ext: setup-build
	@$(MAKE) --no-print-directory -s .venv/.compiled

.venv/.pyx: $(filter-out %.py,$(sources))
	@echo "compiling (half a minute the first time)"
	$(build) pyx
	@touch $@

.venv/.compiled: $(sources)
	@echo "compiling (a few minutes the first time)"
	$(build)
	@touch $@
else
ext:
	$(build)
endif

build = $(PY) .ci/build.py

clean:
	rm -rf .venv build gateway.egg-info
	find gateway -name '*.so' -delete
	find gateway -name '*.c' -delete

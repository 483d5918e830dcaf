# The commands that the README and CONTRIBUTING name. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ZOOLOGIST := target/release/zoologist
DEMO_PATH := $(CURDIR)/demo/.venv/bin:$(PATH)
PYTHON ?= python3
SUITES := self_test syscall_faults kill processes damage bad threads

.PHONY: help build build-ranking demo demo-text test test-ranking check deny bench bench-scores bench-text bench-native bench-gram agreement \
  agreement-native tuning brute-force truth racing vet-python vet-planted vet-triangulation soak hostile fuzz test-python

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## The program, optimised
	cargo build --release --locked

build-ranking: ## The program without the native networks: what ranking ONNX models and word vectors needs
	cargo build --release --locked --package zoologist-cli --no-default-features

demo: build-ranking ## Rank six real models on 2,000 real pictures: the main job, on real input
	$(PYTHON) demo/prepare.py
	PATH="$(DEMO_PATH)" $(ZOOLOGIST) rank demo/data/fashion-mnist --zoo demo/zoo --samples 2000 --budget full --report demo/report.html
	@echo "The same as a page for any browser: demo/report.html"

demo-text: build-ranking ## Rank four real text models on descriptions of Debian packages: the main job, on text
	$(PYTHON) demo/prepare.py text
	PATH="$(DEMO_PATH)" $(ZOOLOGIST) rank demo/data/debian-packages/packages.csv --zoo demo/zoo-text --samples 1500 \
	  --report demo/report-text.html
	@echo "The same as a page for any browser: demo/report-text.html"

test: ## All tests
	cargo test --release --locked --workspace

test-ranking: ## What ranks without the native networks is tested without them
	cargo test --release --locked --package zoologist-cli --no-default-features --test rank --test ranking_alone

check: ## Format, lints, tests and documentation, warnings denied
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	$(MAKE) test
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace --no-deps

deny: ## Licences, advisories and sources of the dependencies (installs cargo-deny if need be)
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
	cargo deny check bans licenses sources

bench: build ## Throughput against a Python loop, in one run: make bench DATA=folder-of-class-folders
	@test -n "$(DATA)" || { echo "give a data set of pictures: make bench DATA=path/to/class/folders" >&2; exit 2; }
	$(PYTHON) demo/prepare.py
	test -x benches/.venv/bin/python || $(PYTHON) -m venv benches/.venv
	benches/.venv/bin/python -m pip install --quiet --requirement benches/requirements.txt
	PATH="$(CURDIR)/benches/.venv/bin:$(PATH)" benches/.venv/bin/python benches/feature_pass.py "$(DATA)"

bench-scores: build ## Cost of scoring against others' code: make bench-scores LOGME=checkout-of-thuml/LogME [CASES="5000x768x10"]
	test -x benches/.venv-scores/bin/python || $(PYTHON) -m venv benches/.venv-scores
	benches/.venv-scores/bin/python -m pip install --quiet --requirement benches/requirements-scores.txt
	benches/.venv-scores/bin/python -c "import transformer_ranker" 2>/dev/null \
	  || benches/.venv-scores/bin/python -m pip install --quiet transformer-ranker==0.2.0 \
	  || echo "transformer-ranker can't be installed here: it is left out" >&2
	benches/.venv-scores/bin/python benches/scores.py $(if $(LOGME),--logme "$(LOGME)") $(if $(CASES),--cases $(CASES)) \
	  --rounds $(or $(ROUNDS),3) --threads $(or $(THREADS),1)

bench-text: build ## Ranking by text against transformer-ranker: make bench-text MODEL=folder DATA=texts.csv [THREADS=1] [ROUNDS=1]
	@test -n "$(MODEL)" -a -n "$(DATA)" || { echo "give a model and a CSV: make bench-text MODEL=folder DATA=texts.csv" >&2; exit 2; }
	test -x benches/.venv-transformer-ranker/bin/python || $(PYTHON) -m venv benches/.venv-transformer-ranker
	benches/.venv-transformer-ranker/bin/python -m pip install --quiet --requirement benches/requirements-transformer-ranker.txt
	benches/.venv-transformer-ranker/bin/python benches/text_ranking.py "$(MODEL)" "$(DATA)" \
	  --threads $(or $(THREADS),1) --rounds $(or $(ROUNDS),1)

bench-native: ## The native encoders' rate as a share of plain matrix products, one thread
	cargo bench --locked -p zoologist-nn --bench forward

bench-gram: ## The Gram product's share of this machine's rate of matrix products
	cargo bench --locked -p zoologist --bench gram

agreement-native: build ## Networks that are built in against their own graphs: make agreement-native [REFERENCE=folder]
	$(PYTHON) demo/prepare.py
	$(PYTHON) demo/prepare.py text
	test -x benches/.venv/bin/python || $(PYTHON) -m venv benches/.venv
	benches/.venv/bin/python -m pip install --quiet --requirement benches/requirements.txt
	PATH="$(DEMO_PATH)" benches/.venv/bin/python benches/native_agreement.py "$(REFERENCE)"

tuning: WAYS ?= probe,head2toe,lp-ft,full
tuning: SAMPLES ?= 400
tuning: SEEDS ?= 0,1,2
tuning: build ## Ways of using a model, in one table: make tuning MODEL=folder DATA="set[,set]" [WAYS=probe,full SAMPLES=400 SEEDS=0,1,2 OPTIONS="--size 128"]
	@test -n "$(MODEL)" -a -n "$(DATA)" || { echo "give a model and data: make tuning MODEL=folder DATA=path[,path]" >&2; exit 2; }
	PATH="$(DEMO_PATH)" $(PYTHON) benches/tuning.py $(MODEL) $(DATA) --ways $(WAYS) --samples $(SAMPLES) --seeds $(SEEDS) -- --quiet $(OPTIONS)

brute-force: build ## Selection against fine-tuning every model: make brute-force DATA=set [ZOO=demo/zoo-text OPTIONS="--samples 400"]
	@test -n "$(DATA)" || { echo "give a data set: make brute-force DATA=path [ZOO=demo/zoo-text for texts]" >&2; exit 2; }
	$(PYTHON) demo/prepare.py $(if $(findstring text,$(ZOO)),text)
	PATH="$(DEMO_PATH)" $(ZOOLOGIST) rank $(DATA) --zoo $(or $(ZOO),demo/zoo) --truth full --budget full $(OPTIONS)

agreement: build ## Features of both runtimes against each other, and against references: make agreement [REFERENCE=folder]
	$(PYTHON) demo/prepare.py
	test -x benches/.venv/bin/python || $(PYTHON) -m venv benches/.venv
	benches/.venv/bin/python -m pip install --quiet --requirement benches/requirements.txt
	PATH="$(CURDIR)/benches/.venv/bin:$(PATH)" benches/.venv/bin/python benches/agreement.py "$(REFERENCE)"

truth: build ## How well scores agree with held-out probes: make truth DATA="set other-set" [ZOO=demo/zoo-text]
	@test -n "$(DATA)" || { echo "give data sets: make truth DATA=\"path other-path\" [ZOO=demo/zoo-text for texts]" >&2; exit 2; }
	$(PYTHON) demo/prepare.py $(if $(findstring text,$(ZOO)),text)
	PATH="$(DEMO_PATH)" $(PYTHON) benches/truth.py $(or $(ZOO),demo/zoo) $(DATA)

racing: build ## Does a race find what the full pass finds, and what does it save? make racing DATA="set other-set" [ZOO=demo/zoo-text SEEDS=50]
	@test -n "$(DATA)" || { echo "give data sets: make racing DATA=\"path other-path\" [ZOO=demo/zoo-text for texts]" >&2; exit 2; }
	$(PYTHON) demo/prepare.py $(if $(findstring text,$(ZOO)),text)
	PATH="$(DEMO_PATH)" $(PYTHON) benches/racing.py $(or $(ZOO),demo/zoo) $(or $(SEEDS),50) $(DATA)

VET_PYTHON := $(CURDIR)/benches/.venv-vet/bin/python

vet-python: build
	$(PYTHON) demo/prepare.py
	test -x $(VET_PYTHON) || $(PYTHON) -m venv benches/.venv-vet
	$(VET_PYTHON) -m pip install --quiet --requirement benches/requirements-vet.txt

vet-planted: vet-python ## Plant defects into real models and vet them, a table of confusion: make vet-planted PICTURES=set[,set] TEXTS=texts.csv
	@test -n "$(PICTURES)" -a -n "$(TEXTS)" || { echo "give data: make vet-planted PICTURES=path/to/class/folders TEXTS=texts.csv" >&2; exit 2; }
	$(PYTHON) demo/prepare.py text
	PATH="$(CURDIR)/benches/.venv-vet/bin:$(PATH)" $(VET_PYTHON) benches/vet_planted.py demo/zoo demo/zoo-text $(PICTURES) $(TEXTS) \
	  $(if $(KEEP),--keep $(KEEP)) $(if $(ONLY),--only $(ONLY)) --options="--quiet"

vet-triangulation: vet-python ## Does vet see a wrong preprocessing? rates per declared way: make vet-triangulation DATA="set other-set"
	@test -n "$(DATA)" || { echo "give data sets of pictures: make vet-triangulation DATA=\"path other-path\"" >&2; exit 2; }
	PATH="$(CURDIR)/benches/.venv-vet/bin:$(PATH)" $(VET_PYTHON) benches/vet_triangulation.py demo/zoo $(DATA)

soak: build ## What must survive faults does: all suites of soak/, or make soak SUITE=kill (needs Linux and strace)
	for suite in $(or $(SUITE),$(SUITES)); do echo "soak: $$suite"; $(PYTHON) soak/$$suite.py; done

hostile: ## Give the program thousands of seeded random changes of valid files: make hostile [CHANGES=500] (of each)
	HOSTILE_CHANGES=$(or $(CHANGES),500) cargo test --release --locked --package zoologist-cli --test hostile -- --ignored

FUZZ_TOOLS := $(CURDIR)/fuzz/target/tools
FUZZ := cargo +nightly fuzz

# Without a sanitizer: our own code has no unsafe, and the limit of memory then tells of bombs. SANITIZER=address looks
# into the dependencies.
fuzz: ## Fuzz every parser, or one: make fuzz [SECONDS=60] [TARGET=csv] [SANITIZER=none] (needs a nightly toolchain)
	test -x $(FUZZ_TOOLS)/bin/cargo-fuzz || cargo install --locked --root $(FUZZ_TOOLS) cargo-fuzz@0.13.2
	SEEDS_FOR_FUZZING=$(CURDIR)/fuzz/seeds cargo test --release --locked --package zoologist-cli --test hostile \
	  -- --ignored --exact seeds::write
	export PATH="$(FUZZ_TOOLS)/bin:$(PATH)"; \
	for target in $(or $(TARGET),$$($(FUZZ) list)); do \
	  mkdir -p fuzz/corpus/$$target fuzz/seeds/$$target fuzz/regressions/$$target; \
	  $(FUZZ) run --sanitizer $(or $(SANITIZER),none) $$target fuzz/corpus/$$target fuzz/seeds/$$target \
	    fuzz/regressions/$$target -- -max_total_time=$(or $(SECONDS),60) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1; \
	done

test-python: ## Tests of tools/export.py and of the demo's converters (torch is large: hundreds of megabytes)
	test -x tools/.venv/bin/python || $(PYTHON) -m venv tools/.venv
	tools/.venv/bin/python -m pip install --quiet --requirement tools/requirements-test.txt
	tools/.venv/bin/python -m pytest -q tools/tests
	$(PYTHON) demo/prepare.py
	$(PYTHON) demo/prepare.py text
	cd demo && .venv/bin/python -m unittest

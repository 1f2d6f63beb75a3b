# make test   everything, with what it needs installed first
# make short  what runs with what is there, and a list of what was skipped
# make soak   the long variants; their figures stand in docs
# make bench  speed, as ratios measured in one run
GO ?= go
PACKAGES = ./...

# Required where there is an npm to install it with.
MOCK_SERVER = $(shell command -v npm >/dev/null 2>&1 && echo ,oauth2-mock-server)

.PHONY: build test short lint deps soak bench fmt

build:
	$(GO) build ./...

# Nothing is skipped here but what needs the vendors' own API descriptions (DRAWBRIDGE_SPECS), and attacks that a desk lets
# nobody try; each says why.
# The model check and the attacks at every desk run in full in a pass of their own: the race detector makes them many times
# slower.
test: deps
	DRAWBRIDGE_REQUIRE=postgres,chromium,request-tracker,redmine$(MOCK_SERVER) $(GO) test -race -short -timeout 40m $(PACKAGES)
	DRAWBRIDGE_REQUIRE=postgres $(GO) test -timeout 20m -run '^TestModel|^TestHostileAtEveryDesk$$' ./gateway ./cmd/drawbridge

# What runs with what is installed; lists what was skipped.
short:
	@GO="$(GO)" sh .ci/short $(PACKAGES)

lint:
	$(GO) vet $(PACKAGES)
	@unformatted=$$(gofmt -l cmd connectors gateway mapping store migrations); if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 $(PACKAGES)

# PostgreSQL, Chromium, Request Tracker, Redmine and a C compiler for the race detector, from Debian's packages.
deps:
	@sh .ci/deps

# One package after the other, so that none is measured beside another. docs/performance.md says how to read it.
bench:
	DRAWBRIDGE_REQUIRE=postgres $(GO) test -p 1 -run '^$$' -bench . -benchtime 1s -timeout 0 $(PACKAGES)

soak:
	DRAWBRIDGE_REQUIRE=postgres,request-tracker,redmine DRAWBRIDGE_SOAK=1 $(GO) test -timeout 80m -run 'Soak|Kill|LostAnswers|HostileAtEveryDesk' -v ./cmd/... ./gateway/... ./store/...

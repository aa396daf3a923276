# Names of the commands; what they do is in the scripts.
.PHONY: help demo test bench chaos model sbom format lint

help:
	@echo "make demo     sync a sample export through a real queue and check the result"
	@echo "make test     build and run the tests (deploy/test --full for all of them)"
	@echo "make bench    measure everything beside its limit"
	@echo "make chaos    forty runs of the chaos tests"
	@echo "make model    check the model of the queue"
	@echo "make sbom     write sbom.json, the bill of materials (CycloneDX)"
	@echo "make format   format the sources"
	@echo "make lint     check the formatting and the bill of materials"

demo test bench model:
	deploy/$@

chaos:
	deploy/chaos --seeds 40

sbom:
	deploy/sbom > sbom.json.new && mv sbom.json.new sbom.json

format:
	swift format -i -r Sources Tests Package.swift

lint:
	swift format lint --strict -r Sources Tests Package.swift
	deploy/sbom --check

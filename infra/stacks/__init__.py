"""The AWS resources, written with the CDK; only `make synth` and its test need it."""

"""A year of a deployment, in minutes: the issuer, streams and services on a real Kafka, under a clock that the test moves."""

"""kafkalab: the Apache Kafka producer, taken apart and put together on real brokers."""

__version__ = "0.1.0"

KAFKA_VERSION = "4.3.1"
"""The Apache Kafka release every back end runs (jar lock, image tag and expected feature levels follow it)."""

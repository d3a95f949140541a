"""The lesson: a Kafka producer written to be read. Imports nothing else of kafkalab."""

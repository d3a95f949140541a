"""One module per exercise, `ch<chapter>_<name>`, each with an `EXERCISE` (see kafkalab.course.exercise)."""

"""What a learner touches: chapters, predictions, claims, exercises, pictures."""

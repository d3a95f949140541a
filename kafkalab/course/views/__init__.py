"""Pictures of what really happened: pure functions from data to a layout to an SVG."""

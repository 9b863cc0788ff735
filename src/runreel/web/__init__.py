"""The pages of ``runreel ui`` and their server: what a browser shows of a log."""

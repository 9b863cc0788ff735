"""The interactive replay; only ``runreel replay -i`` imports its modules that need Textual."""

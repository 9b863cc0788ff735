"""Backup, vacuum, statistics, health and durability of a database."""

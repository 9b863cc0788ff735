"""The source adapter for Yandex Assistants."""

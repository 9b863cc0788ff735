"""Live recording of the Yandex SDK."""

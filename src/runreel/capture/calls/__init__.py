"""Recording of whole calls of a model: the request, the attempts to send it, and the answer."""

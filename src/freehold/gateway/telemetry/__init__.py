"""What a gateway tells about itself: metrics, spans, the access log, and its health."""

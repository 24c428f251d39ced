"""Gateway: a call comes in, the provider or the owned model answers it, and the record keeps both sides.

`app.Gateway` is the ASGI application, `server` serves it. Not covered: settings and tables; see `freehold.app`.
"""

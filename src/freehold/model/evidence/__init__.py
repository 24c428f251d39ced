"""The figures of a proof as typed values: what a verdict's evidence says, read leniently and written as JSON.

`evidence.Evidence` is the whole of it; its parts are in the modules beside it, read by `lenient.read`.
"""

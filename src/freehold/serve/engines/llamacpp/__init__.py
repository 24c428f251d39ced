"""llama.cpp as an engine, through xllamacpp, in a process of its own."""

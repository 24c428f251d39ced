"""The drivers of the proof: they read the store, ask the models, run the proof, and write down what came of it."""

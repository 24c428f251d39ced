"""What the prompts of a task share: templates, how they are learnt and widened, and fingerprints."""

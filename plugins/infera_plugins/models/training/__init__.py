"""Seeded scripts that write the corpus, train the tokenizer and train `first_light` on a CPU."""

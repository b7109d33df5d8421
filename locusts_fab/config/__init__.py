"""locusts.toml: its keys as typed models, how it is read, and the reference made from them."""

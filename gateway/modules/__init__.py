"""One file per nginx module, and the ordered table of them."""

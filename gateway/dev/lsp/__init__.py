"""gateway lsp: what an editor asks about an nginx.conf, over standard input and output (the Language Server Protocol).

wire.py has the messages, places.py what stands at a place of a text, words.py what is offered and explained there,
findings.py what is wrong (in a process of its own, since reading a configuration asks the system for much), server.py
answers. No package is needed for it: the protocol's part that is spoken here is a page.
"""
